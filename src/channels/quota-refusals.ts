import { RateLimited } from '../protocol/protocol-error.js'
import { describeOwner } from '../store/owners.js'

export interface QuotaLog {
  debug(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface Refusal {
  readonly owner: string
  /** The quota's name in metrics. */
  readonly quota: string
  readonly limit: number
  /** Sent to the peer: the exceeded quota, and the setting that raises it. */
  readonly message: string
  readonly retryAfterMs: number
}

/** Minimum interval between log lines about one owner and quota, in milliseconds. */
const logEveryMs = 60_000
/** Owners and quotas whose last log line is remembered. Above, the oldest is forgotten, and may be logged again. */
const maxRemembered = 10_000
/** Longest retry delay after a refusal for a quota: amounts may end early. */
const maxRetryAfterMs = 60_000

/** Refuses requests above a quota. Logs one line per owner, quota and minute, however many requests are refused. */
export class QuotaRefusals {
  readonly #log: QuotaLog
  readonly #now: () => number
  readonly #onRefusal: (quota: string) => void
  // In the order of their last log lines.
  readonly #logged = new Map<string, { readonly at: number; refusals: number }>()

  /**
   * @param now        unix milliseconds
   * @param onRefusal  called for each refusal, for metrics
   */
  constructor(log: QuotaLog, now: () => number, onRefusal: (quota: string) => void) {
    this.#log = log
    this.#now = now
    this.#onRefusal = onRefusal
  }

  /** @returns the error to throw */
  refuse({ owner, quota, limit, message, retryAfterMs }: Refusal): RateLimited {
    this.#onRefusal(quota)
    this.#logOnce(owner, quota, limit)
    return new RateLimited(message, Math.min(Math.max(1, retryAfterMs), maxRetryAfterMs))
  }

  #logOnce(owner: string, quota: string, limit: number): void {
    const key = `${quota} ${owner}`
    const last = this.#logged.get(key)
    if (last !== undefined && this.#now() - last.at < logEveryMs) {
      last.refusals++
      return
    }
    this.#logged.delete(key)
    const [oldest] = this.#logged.keys()
    if (this.#logged.size >= maxRemembered && oldest !== undefined) this.#logged.delete(oldest)
    this.#logged.set(key, { at: this.#now(), refusals: 0 })
    const refusedSince = last === undefined ? {} : { refusedSince: last.refusals }
    this.#log.warn(
      { ...describeOwner(owner), quota, limit, ...refusedSince },
      'a quota is used up: requests are refused'
    )
  }
}
