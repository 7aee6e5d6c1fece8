import type { MetricValues } from '../../metrics.js'
import { countersOf, renderSum, sumMetrics } from './metric-sum.js'

/** A serving worker. */
export interface ReadableWorker {
  readonly pid: number
  /** Asks for a call of {@link MetricsCollector.received} with this round. */
  readMetrics(round: number): void
}

/** The primary's data about its workers. */
export interface WorkerCounts {
  readonly configured: number
  /** Number of workers replaced since the start. */
  readonly replaced: number
}

export interface MetricsCollectorOptions {
  readonly workers: () => readonly ReadableWorker[]
  readonly counts: () => WorkerCounts
  /** The counters of a worker that has ended could not be added: they are missing from then on. */
  readonly onError: (error: unknown) => void
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => number
  readonly setTimer: (call: () => void, ms: number) => unknown
  readonly clearTimer: (timer: unknown) => void
}

/** Longest wait of a round for workers, in milliseconds. */
export const workerAnswerMs = 1000
/** All scrapes within this time share one round, in milliseconds. */
const shareMs = 1000

/**
 * Adds the metrics of all workers. Counters never decrease: those of a worker that has ended still count, and a worker
 * that does not answer in time counts with its last answer. The gauges of both are missing.
 */
export class MetricsCollector {
  readonly #options: MetricsCollectorOptions
  /** The last answer of each worker, by its pid. */
  readonly #latest = new Map<number, readonly MetricValues[]>()
  /** Counters of all workers that have ended. */
  #ended: Promise<readonly MetricValues[]> = Promise.resolve([])
  #round = 0
  /** Workers that have not answered this round. */
  readonly #missing = new Set<number>()
  #onAnswer: () => void = () => {}
  #shared: { readonly at: number; readonly text: Promise<string> } | undefined

  constructor(options: MetricsCollectorOptions) {
    this.#options = options
  }

  /** @returns the metrics of all workers in the text format of Prometheus */
  render(): Promise<string> {
    const at = this.#options.now()
    if (this.#shared === undefined || at - this.#shared.at >= shareMs) this.#shared = { at, text: this.#collect() }
    return this.#shared.text
  }

  /** Stores an answer. A late one counts in the next round. */
  received(pid: number, round: number, metrics: readonly MetricValues[]): void {
    this.#latest.set(pid, metrics)
    if (round !== this.#round) return
    this.#missing.delete(pid)
    this.#onAnswer()
  }

  /** A worker has ended. */
  ended(pid: number): void {
    const metrics = this.#latest.get(pid)
    this.#latest.delete(pid)
    if (metrics !== undefined) this.#ended = this.#ended.then(ended => this.#add(metrics, ended))
    if (this.#missing.delete(pid)) this.#onAnswer()
  }

  async #add(metrics: readonly MetricValues[], ended: readonly MetricValues[]): Promise<readonly MetricValues[]> {
    try {
      return await sumMetrics([countersOf(metrics), ended])
    } catch (error) {
      this.#options.onError(error)
      return ended
    }
  }

  async #collect(): Promise<string> {
    const workers = this.#options.workers()
    this.#round++
    this.#missing.clear()
    for (const { pid } of workers) this.#missing.add(pid)
    for (const worker of workers) worker.readMetrics(this.#round)
    await this.#answers()
    const answers = [...this.#latest].map(([pid, metrics]) => (this.#missing.has(pid) ? countersOf(metrics) : metrics))
    return renderSum([this.#ownMetrics(workers.length), ...answers, await this.#ended])
  }

  /** Resolves when all answers have arrived, or at the timeout. */
  #answers(): Promise<void> {
    if (this.#missing.size === 0) return Promise.resolve()
    return new Promise(resolve => {
      const timer = this.#options.setTimer(resolve, workerAnswerMs)
      this.#onAnswer = () => {
        if (this.#missing.size > 0) return
        this.#options.clearTimer(timer)
        resolve()
      }
    })
  }

  #ownMetrics(serving: number): MetricValues[] {
    const { configured, replaced } = this.#options.counts()
    return [
      own({ name: 'countersign_workers', help: 'Workers that serve', type: 'gauge' }, serving),
      own({ name: 'countersign_workers_configured', help: 'Workers that should serve', type: 'gauge' }, configured),
      own(
        {
          name: 'countersign_workers_unanswered',
          help: 'Workers that did not answer this scrape in time: their gauges are missing, their counters are older',
          type: 'gauge'
        },
        this.#missing.size
      ),
      own(
        { name: 'countersign_workers_replaced_total', help: 'Workers that ended and were replaced', type: 'counter' },
        replaced
      )
    ]
  }
}

function own(about: Pick<MetricValues, 'name' | 'help' | 'type'>, value: number): MetricValues {
  return { ...about, aggregator: 'sum', values: [{ value, labels: {} }] }
}
