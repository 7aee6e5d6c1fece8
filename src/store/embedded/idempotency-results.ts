import type { Position } from '../channels.js'
import { StoreUnavailable } from '../errors.js'

/** Results that are kept: 1,000 publications with a key per second. Above, such publications are refused. */
export const maxIdempotencyResults = 300_000

export interface IdempotencyResult extends Position {
  /** See `dataDigest`. */
  readonly digest: string
  readonly endsAt: number
}

/** The results of publications with an idempotency key, for their repeats. */
export class IdempotencyResults {
  readonly #now: () => number
  readonly #lifeMs: number
  readonly #max: number
  // All have the same life, so they are in the order of their ends.
  readonly #results = new Map<string, IdempotencyResult>()

  /** @param now  unix milliseconds */
  constructor(now: () => number, lifeMs: number, max: number) {
    this.#now = now
    this.#lifeMs = lifeMs
    this.#max = max
  }

  get(key: string): IdempotencyResult | undefined {
    const result = this.#results.get(key)
    return result !== undefined && result.endsAt > this.#now() ? result : undefined
  }

  /** To be called before {@link add}. @throws StoreUnavailable if no further result fits */
  evictExpired(): void {
    for (const [key, { endsAt }] of this.#results) {
      if (endsAt > this.#now()) break
      this.#results.delete(key)
    }
    if (this.#results.size < this.#max) return
    throw new StoreUnavailable(
      new Error(`${this.#max} publications with an idempotency key in ${this.#lifeMs} ms, the most that are kept`),
      'unsent'
    )
  }

  add(key: string, digest: string, { offset, epoch }: Position): void {
    this.#results.delete(key)
    this.#results.set(key, { offset, epoch, digest, endsAt: this.#now() + this.#lifeMs })
  }
}
