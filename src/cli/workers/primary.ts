import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import closeWithGrace from 'close-with-grace'
import { type Certificate, readCertificate } from '../../config/certificate.js'
import type { Config } from '../../config/load.js'
import { rereadWaitMs, type Sources } from '../../config/sources.js'
import { greeting } from '../greeting.js'
import type { ProcessLog } from '../process-log.js'
import { listenForReload, reloadLogLevel } from '../reload.js'
import { skippedEvents, stopGraceMs } from '../stopping.js'
import { UnhandledRejections } from '../unhandled-rejections.js'
import { warnOfStore } from '../warn-of-store.js'
import { heapOptions, type Resources } from './count.js'
import type { ToPrimary } from './messages.js'
import { MetricsCollector } from './metrics-collector.js'
import { createSpawn } from './spawn.js'
import { WorkerPool, type WorkerProcess } from './worker-pool.js'

/**
 * The started process, when several workers serve: it starts, replaces and stops them, and serves no requests itself.
 */

export interface PrimaryOptions {
  readonly config: Config
  readonly sources: Sources
  readonly log: ProcessLog
  /** Workers. */
  readonly count: number
  readonly resources: Resources
}

const timers = {
  now: () => performance.now(),
  setTimer: (call: () => void, ms: number) => setTimeout(call, ms),
  clearTimer: (timer: unknown) => clearTimeout(timer as NodeJS.Timeout | undefined)
}

/**
 * Checks that the port is free before anything starts, and resolves port 0: it must stay the same when all workers are
 * replaced.
 * @throws errors of listening
 */
async function claimPort({ host, port }: Config): Promise<number> {
  const server = createServer().listen({ host, port })
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return address.port
}

function createPool(
  { sources, log, count, resources }: PrimaryOptions,
  port: number,
  certificate: () => Certificate | undefined
): WorkerPool {
  const { logger } = log
  const spawn = createSpawn(heapOptions(count, resources, [...process.execArgv, process.env['NODE_OPTIONS'] ?? '']))
  const onError = (error: unknown) => logger.error({ err: error }, 'could not add the metrics of workers')
  const metrics = new MetricsCollector({
    ...{ ...timers, onError },
    workers: () => pool.serving.map(({ pid, send }) => ({ pid, readMetrics: round => send({ type: 'read', round }) })),
    counts: () => ({ configured: count, replaced: pool.replaced })
  })

  function received(worker: WorkerProcess, message: ToPrimary): void {
    if (message.type === 'metrics') metrics.received(worker.pid, message.round, message.metrics)
    if (message.type !== 'render') return
    metrics.render().then(text => worker.send({ type: 'rendered', text }), onError)
  }

  const setupOf = (number: number) => {
    return { sources, number, count, port, certificate: certificate(), logLevel: logger.level }
  }
  const pool: WorkerPool = new WorkerPool({
    ...timers,
    ...{ count, spawn, received, log: logger },
    setup: number => ({ type: 'setup', setup: setupOf(number) }),
    ended: pid => metrics.ended(pid)
  })
  return pool
}

/** @returns undefined if it cannot be used: the workers, which read it too, log why */
function rereadCertificate({ tls }: Config): Certificate | undefined {
  try {
    return tls && readCertificate(tls, rereadWaitMs)
  } catch {
    return undefined
  }
}

interface Stopping {
  /** The exit code, once a signal or an exception has stopped all workers. */
  readonly stopped: Promise<number>
  /** Restores Node's handling of signals. */
  readonly uninstall: () => void
}

/** The first signal drains all workers, the second one kills them. */
function stopOnSignal({ config, log: { logger } }: PrimaryOptions, pool: WorkerPool): Stopping {
  let uninstall = () => {}
  const stopped = new Promise<number>(resolve => {
    const options = {
      // Each worker ends by itself earlier: after the drain and one such grace.
      delay: config.drainMs + 2 * stopGraceMs,
      logger,
      skip: [...skippedEvents],
      onSecondSignal: () => pool.kill(),
      onSecondError: () => pool.kill(),
      onTimeout: () => pool.kill()
    }
    ;({ uninstall } = closeWithGrace(options, async ({ err, signal }) => {
      if (err !== undefined) logger.fatal({ err }, 'stopping because of an uncaught exception')
      else logger.info({ signal }, 'stopping all workers')
      const inOrder = await pool.stop()
      if (!inOrder) logger.error({}, 'a worker did not stop in order')
      if (!inOrder) process.exit(1)
      resolve(err === undefined ? 0 : 1)
    }))
  })
  return { stopped, uninstall: () => uninstall() }
}

/**
 * Runs several workers.
 * @returns the exit code
 * @throws errors of listening
 */
export async function runPrimary(options: PrimaryOptions): Promise<number> {
  const { config, sources, log, count } = options
  process.on('unhandledRejection', new UnhandledRejections(log.logger).record)
  let certificate = config.tls && readCertificate(config.tls)
  const pool = createPool(options, await claimPort(config), () => certificate)
  const { stopped, uninstall } = stopOnSignal(options, pool)
  listenForReload(log.logger, () => {
    reloadLogLevel({ sources, logger: log.logger })
    certificate = rereadCertificate(config) ?? certificate
    pool.reload()
  })
  const started = await pool.start()
  if ('reason' in started) {
    if (pool.isStopping) return stopped
    pool.kill()
    uninstall()
    if (started.reason !== '') process.stderr.write(`countersign: ${started.reason}\n`)
    return 1
  }
  process.stderr.write(greeting(config, started.url, count))
  void warnOfStore(config, log)
  return Promise.race([
    stopped,
    pool.failed().then(() => {
      pool.kill()
      uninstall()
      return 1
    })
  ])
}
