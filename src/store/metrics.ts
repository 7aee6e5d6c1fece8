import { Gauge, Histogram, type Registry } from 'prom-client'
import { durationBounds, type StoreDurations } from './durations.js'

/** Metrics of a store. */
export interface StoreMetricSources {
  readonly durations: StoreDurations
  readonly channels: { readonly lagMs: number }
}

/** Members missing in prom-client's types. */
interface Rendered {
  getForPromString(): ReturnType<Histogram<'verb' | 'le'>['get']>
}

/** Shows the counts of StoreDurations: prom-client's own histogram hashes the labels of every observation. */
class DurationHistogram extends Histogram<'verb' | 'le'> {
  readonly #durations: StoreDurations

  constructor(register: Registry, durations: StoreDurations) {
    super({
      name: 'countersign_store_duration_seconds',
      help: 'How long calls of the store took, by verb; failed ones included',
      labelNames: ['verb'],
      buckets: [...durationBounds],
      registers: [register]
    })
    this.#durations = durations
  }

  /** The form for other processes. */
  override get() {
    return this.getForPromString()
  }

  /** The form that the registry renders. */
  async getForPromString() {
    const described = await (Histogram.prototype as unknown as Rendered).getForPromString.call(this)
    const values: typeof described.values = []
    for (const [verb, { counts, sumSeconds }] of this.#durations.verbs) {
      let calls = 0
      for (const [i, count] of counts.entries()) {
        calls += count
        const le = durationBounds[i] ?? '+Inf'
        values.push({ labels: { verb, le }, value: calls, metricName: `${described.name}_bucket` })
      }
      values.push({ labels: { verb }, value: sumSeconds, metricName: `${described.name}_sum` })
      values.push({ labels: { verb }, value: calls, metricName: `${described.name}_count` })
    }
    return { ...described, values }
  }
}

/** Adds the durations of the store. */
export function addStoreMetrics(register: Registry, { durations, channels }: StoreMetricSources): void {
  new DurationHistogram(register, durations)
  new Gauge({
    name: 'countersign_subscriber_lag_seconds',
    help: 'Time from a publication of this instance through Redis to its own subscriber, as measured last',
    aggregator: 'max',
    registers: [register],
    collect() {
      this.set(channels.lagMs / 1000)
    }
  })
}
