import cluster from 'node:cluster'
import { loadSources } from '../../config/load.js'
import { createErrorSerializer, formatError } from '../../log/error-serializer.js'
import type { MetricValues } from '../../metrics.js'
import { type GatewayProcess, openGateway } from '../gateway-process.js'
import { warnOfHeap } from '../heap-warning.js'
import { openLog } from '../process-log.js'
import { explain } from '../start-failure.js'
import type { ToPrimary, ToWorker, WorkerSetup } from './messages.js'
import { SharedMetrics } from './shared-metrics.js'

/** The program of a worker: a gateway that shares its port with others. Only the primary starts it. */

/** Opened, and waiting for the message to listen. */
interface Prepared {
  readonly gateway: GatewayProcess
  /** Reports why it cannot listen, and ends the process. */
  readonly fail: (error: unknown) => void
}

let prepared: Prepared | undefined
let isServing = false

function send(message: ToPrimary, onSent: () => void = () => {}): void {
  if (process.connected) process.send?.(message, undefined, undefined, onSent)
  else onSent()
}

const metrics = new SharedMetrics(() => send({ type: 'render' }))

/** JSON has no representation of numbers that are not finite, such as a lag that was never measured. */
function finite(all: readonly MetricValues[]): MetricValues[] {
  return all.map(metric => ({ ...metric, values: metric.values.filter(({ value }) => Number.isFinite(value)) }))
}

/** Opens the store and composes the gateway; connections are accepted with the message `listen`. */
async function prepare({ sources, number, count, port, certificate, logLevel }: WorkerSetup): Promise<void> {
  const { config: configured } = loadSources(sources)
  const tls = configured.tls && certificate && { ...configured.tls, content: certificate }
  const config = { ...configured, port, logLevel, tls }
  const log = openLog(config, { worker: number }, true)
  // The heaps of all are alike.
  if (number === 1) warnOfHeap(config, log)

  /** Ends the process. The primary logs the reason; unforeseen errors go to stderr with their stack. */
  function fail(error: unknown): void {
    const { redact } = log.redactor
    const reason = explain(error, config)
    const exit = () => process.exit(1)
    if (reason !== undefined) send({ type: 'failed', reason: redact(reason) }, exit)
    else process.stderr.write(`countersign: ${formatError(error, createErrorSerializer(redact))}\n`, exit)
  }

  try {
    const shared = { workers: count, renderMetrics: () => metrics.render() }
    prepared = { gateway: await openGateway({ config, sources, log }, shared), fail }
    send({ type: 'prepared' })
  } catch (error) {
    fail(error)
  }
}

async function listen({ gateway, fail }: Prepared): Promise<void> {
  try {
    const url = await gateway.listen()
    isServing = true
    send({ type: 'listening', url, instanceId: gateway.app.instanceId })
    await gateway.run('any')
  } catch (error) {
    fail(error)
  }
}

function stop(): void {
  if (isServing) prepared?.gateway.stop()
  else process.exit(0)
}

async function readMetrics(round: number): Promise<void> {
  const values = await prepared?.gateway.app.readMetrics()
  if (values !== undefined) send({ type: 'metrics', round, metrics: finite(values) })
}

function receive(message: ToWorker): void {
  switch (message.type) {
    case 'setup':
      void prepare(message.setup)
      break
    case 'listen':
      if (prepared !== undefined) void listen(prepared)
      break
    case 'reload':
      prepared?.gateway.reload()
      break
    case 'stop':
      stop()
      break
    case 'read':
      void readMetrics(message.round)
      break
    case 'rendered':
      metrics.rendered(message.text)
      break
  }
}

// The promise of each write reports a closed reader; without a listener the event would end the process.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
process.on('message', receive)
// The primary is gone, and the port with it: sessions move to other instances. Without the mark Node ends the process.
if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true
process.once('disconnect', stop)
send({ type: 'started' })
