import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { ChannelsObserver } from './channels/channel-manager.js'
import { addHttpMetrics, type HttpMetricSources } from './http/metrics.js'
import type { SessionObserver } from './session/dependencies.js'
import { addStoreMetrics, type StoreMetricSources } from './store/metrics.js'

/** One metric as it can be sent to another process. prom-client's types name a type that is never a text. */
export interface MetricValues {
  readonly name: string
  readonly help: string
  /** `counter`, `gauge` or `histogram`. */
  readonly type: string
  /** How the values of several processes are combined: `sum`, `max`, … */
  readonly aggregator: string
  readonly values: readonly {
    readonly value: number
    readonly labels: Readonly<Record<string, string | number | undefined>>
  }[]
}

/** Prometheus metrics of this instance. Names follow its conventions: base units, `_total` for counters. */
export interface Metrics {
  /** Counts events of sessions. */
  readonly observer: SessionObserver
  /** Counts the outcomes of publications. */
  readonly channels: ChannelsObserver
  /** Counts a request that was refused. @param code  the error code that was sent */
  readonly requestRefused: (code: string) => void
  /** Counts a request that a client's quota refused. */
  readonly quotaRefused: (quota: string) => void
  readonly contentType: string
  render(): Promise<string>
  /** The contents of {@link render}, to be added to those of other processes. */
  read(): Promise<readonly MetricValues[]>
}

/** Values that are read when the metrics are rendered. */
export interface MetricSources {
  /** Live WebSocket sessions of this instance. */
  readonly liveSessions: () => number
  /** Bridge polls that this instance holds. */
  readonly heldPolls: () => number
  readonly channels: {
    /** Publications dropped since the start. */
    readonly dropped: number
    /** Restarts of the subscriber connection since the start. */
    readonly restarts: number
  }
  readonly store: StoreMetricSources
  /** Rejections that nothing handled, since the start. */
  readonly unhandledRejections: () => number
  readonly http: HttpMetricSources
  /** Bounded quantities of this process. */
  readonly bounds: () => readonly { readonly name: string; readonly used: number; readonly limit: number }[]
}

function createObserver(register: Registry): SessionObserver {
  const registers = [register]
  const handshakes = new Counter({
    name: 'countersign_handshakes_total',
    help: 'Handshakes by result: welcome, or the error code sent to the peer',
    labelNames: ['result'],
    registers
  })
  const opened = new Counter({
    name: 'countersign_sessions_opened_total',
    help: 'Sessions opened',
    labelNames: ['transport'],
    registers
  })
  const ended = new Counter({
    name: 'countersign_sessions_ended_total',
    help: 'Sessions ended, by error code, bye or lost',
    labelNames: ['transport', 'code'],
    registers
  })
  const refusals = new Counter({
    name: 'countersign_frames_refused_total',
    help: 'Frames answered with an error',
    labelNames: ['code'],
    registers
  })
  const validations = new Counter({
    name: 'countersign_validations_total',
    help: 'Answers to validate',
    labelNames: ['code'],
    registers
  })
  const countFrame = createFrameCounter(register)
  return {
    handshake: result => handshakes.inc({ result }),
    opened: transport => opened.inc({ transport }),
    ended: (transport, code) => ended.inc({ transport, code }),
    received: countFrame,
    refused: code => refusals.inc({ code }),
    validated: code => validations.inc({ code })
  }
}

/** prom-client hashes the labels on every increment, so frames are counted in a map that is copied when rendered. */
function createFrameCounter(register: Registry): (type: string) => void {
  const framesByType = new Map<string, number>()
  new Counter({
    name: 'countersign_frames_received_total',
    help: 'Verified upstream frames',
    labelNames: ['type'],
    registers: [register],
    collect() {
      this.reset()
      for (const [type, frames] of framesByType) this.inc({ type }, frames)
    }
  })
  return type => void framesByType.set(type, (framesByType.get(type) ?? 0) + 1)
}

function createChannelsObserver(register: Registry): ChannelsObserver {
  const registers = [register]
  const delivered = new Counter({
    name: 'countersign_publications_delivered_total',
    help: 'Deliveries of publications to sessions of this instance',
    registers
  })
  const holes = new Counter({
    name: 'countersign_channel_holes_total',
    help: 'Gaps in a channel that were detected and read from the store',
    registers
  })
  const losses = new Counter({
    name: 'countersign_subscriptions_lost_total',
    help: 'Subscriptions ended with INSUFFICIENT_STATE',
    registers
  })
  return {
    delivered: subscribers => delivered.inc(subscribers),
    missed: () => holes.inc(),
    lost: subscribers => losses.inc(subscribers)
  }
}

/** Adds the metrics whose values are read when rendered. */
function addSources(register: Registry, { liveSessions, heldPolls, channels }: MetricSources): void {
  const registers = [register]
  new Gauge({
    name: 'countersign_sessions',
    help: 'Live WebSocket sessions of this instance',
    registers,
    collect() {
      this.set(liveSessions())
    }
  })
  new Gauge({
    name: 'countersign_bridge_held_polls',
    help: 'Bridge polls that this instance holds',
    registers,
    collect() {
      this.set(heldPolls())
    }
  })
  new Counter({
    name: 'countersign_publications_dropped_total',
    help: 'Publications dropped between Redis and the sessions because the queue was full; recovery repairs them',
    registers,
    collect() {
      this.reset()
      this.inc(channels.dropped)
    }
  })
  new Counter({
    name: 'countersign_subscriber_restarts_total',
    help: 'Reconnects of the subscriber because accepted publications did not arrive',
    registers,
    collect() {
      this.reset()
      this.inc(channels.restarts)
    }
  })
}

function addRejections(register: Registry, unhandledRejections: () => number): void {
  new Counter({
    name: 'countersign_unhandled_rejections_total',
    help: 'Rejected promises that nothing handled: defects of the gateway',
    registers: [register],
    collect() {
      this.reset()
      this.inc(unhandledRejections())
    }
  })
}

/** Each bound, with use and limit. */
function addBounds(register: Registry, bounds: MetricSources['bounds']): void {
  const registers = [register]
  const labelNames = ['bound']
  new Gauge({
    name: 'countersign_bound_used',
    help: 'What this process keeps of something that is bounded',
    ...{ labelNames, registers },
    collect() {
      for (const { name, used } of bounds()) this.set({ bound: name }, used)
    }
  })
  new Gauge({
    name: 'countersign_bound_limit',
    help: 'The most that this process keeps of it',
    ...{ labelNames, registers },
    collect() {
      for (const { name, limit } of bounds()) this.set({ bound: name }, limit)
    }
  })
}

/** Several processes combine to the slowest and the oldest; prom-client would average or omit the values. */
const otherAggregators: Readonly<Record<string, 'max' | 'min'>> = { average: 'max', omit: 'min' }

function addProcessMetrics(register: Registry): void {
  collectDefaultMetrics({ register })
  for (const metric of register.getMetricsAsArray()) {
    metric.aggregator = otherAggregators[metric.aggregator] ?? metric.aggregator
  }
}

export function createMetrics(sources: MetricSources): Metrics {
  const register = new Registry()
  addProcessMetrics(register)
  addSources(register, sources)
  addStoreMetrics(register, sources.store)
  addRejections(register, sources.unhandledRejections)
  addBounds(register, sources.bounds)
  const quotaRefusals = new Counter({
    name: 'countersign_quota_refusals_total',
    help: "Requests refused because their client's quota is used up",
    labelNames: ['quota'],
    registers: [register]
  })
  return {
    observer: createObserver(register),
    channels: createChannelsObserver(register),
    requestRefused: addHttpMetrics(register, sources.http),
    quotaRefused: quota => quotaRefusals.inc({ quota }),
    contentType: register.contentType,
    render: () => register.metrics(),
    read: async () => (await register.getMetricsAsJSON()) as unknown as readonly MetricValues[]
  }
}
