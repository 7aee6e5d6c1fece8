import { AggregatorRegistry } from 'prom-client'
import type { MetricValues } from '../../metrics.js'

/** Adds the metrics of several processes, each metric by its own aggregator. */

type Metrics = readonly MetricValues[]

/** Every worker reads this bound of Redis, so it counts once. */
const sharedBound = 'redis_memory_bytes'
const boundMetrics = ['countersign_bound_used', 'countersign_bound_limit']

/** Omits values that an earlier process has already counted. */
function withoutRepeats(all: readonly Metrics[]): MetricValues[][] {
  const seen = new Set<string>()
  const isRepeat = (name: string) => seen.has(name) || !seen.add(name)
  return all.map(metrics =>
    metrics.map(metric =>
      boundMetrics.includes(metric.name)
        ? {
            ...metric,
            values: metric.values.filter(({ labels }) => labels['bound'] !== sharedBound || !isRepeat(metric.name))
          }
        : metric
    )
  )
}

/**
 * Metrics that only grow, so that those of an ended process must still count: to Prometheus a lower value is a restart.
 */
export function countersOf(metrics: Metrics): MetricValues[] {
  return metrics.filter(({ type }) => type === 'counter' || type === 'histogram')
}

export async function sumMetrics(all: readonly Metrics[]): Promise<Metrics> {
  const sum = await AggregatorRegistry.aggregate(withoutRepeats(all)).getMetricsAsJSON()
  // Its type lists type names that never occur.
  return sum as unknown as Metrics
}

/** @returns the sum in the text format of Prometheus */
export function renderSum(all: readonly Metrics[]): Promise<string> {
  return AggregatorRegistry.aggregate(withoutRepeats(all)).metrics()
}
