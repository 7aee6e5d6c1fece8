import { Counter, Gauge, type Registry } from 'prom-client'
import type { HttpEdge } from './edge.js'
import { oldestRequestMs } from './request-tracker.js'

/** Values of the HTTP server that are read when the metrics are rendered. */
export interface HttpMetricSources {
  readonly edge: Pick<HttpEdge, 'sockets' | 'budget' | 'refusedSockets' | 'descriptors'>
  /** Log lines that were dropped since the start. */
  readonly droppedLogLines: () => number
}

/** Adds the bounds on unauthenticated peers, with use and limit. */
function addBounds(register: Registry, { sockets, budget }: HttpMetricSources['edge']): void {
  const registers = [register]
  new Gauge({
    name: 'countersign_unverified_sockets',
    help: 'Open sockets that carry neither a verified session nor a valid token',
    registers,
    collect() {
      this.set(sockets.size)
    }
  })
  new Gauge({
    name: 'countersign_unverified_sockets_limit',
    help: 'Most open sockets that carry neither a verified session nor a valid token',
    registers
  }).set(sockets.maxSize)
  new Gauge({
    name: 'countersign_pending_body_bytes',
    help: 'Bytes reserved for the bodies of requests that are not answered yet',
    registers,
    collect() {
      this.set(budget.reservedBytes)
    }
  })
  new Gauge({
    name: 'countersign_pending_body_limit_bytes',
    help: 'Most bytes reserved for the bodies of requests that are not answered yet',
    registers
  }).set(budget.maxBytes)
}

/**
 * Adds the metrics of the HTTP server.
 * @returns a function that counts a refused request by the error code that was sent
 */
export function addHttpMetrics(
  register: Registry,
  { edge, droppedLogLines }: HttpMetricSources
): (code: string) => void {
  const registers = [register]
  addBounds(register, edge)
  // The default metric reads 0 when no descriptor is left to count with.
  register.removeSingleMetric('process_open_fds')
  new Gauge({
    name: 'process_open_fds',
    help: 'Number of open file descriptors.',
    registers,
    collect() {
      this.set(edge.descriptors.used)
    }
  })
  new Gauge({
    name: 'countersign_oldest_request_seconds',
    help: 'How long the oldest HTTP request without an answer has waited; held polls count',
    aggregator: 'max',
    registers,
    collect() {
      this.set(oldestRequestMs() / 1000)
    }
  })
  new Counter({
    name: 'countersign_sockets_refused_total',
    help: 'Sockets that were closed at a bound, by reason: address, total or pipelined; descriptors counts refused requests',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset()
      for (const [reason, sockets] of Object.entries(edge.refusedSockets)) this.inc({ reason }, sockets)
    }
  })
  new Counter({
    name: 'countersign_log_lines_dropped_total',
    help: 'Log lines that were dropped because their reader was too slow',
    registers,
    collect() {
      this.reset()
      this.inc(droppedLogLines())
    }
  })
  const refused = new Counter({
    name: 'countersign_http_requests_refused_total',
    help: 'HTTP requests that were refused, by error code',
    labelNames: ['code'],
    registers
  })
  return code => refused.inc({ code })
}
