/** A token bucket: `perSecond` tokens sustained, twice as many in a burst. */
export class TokenBucket {
  readonly #perSecond: number
  #tokens: number
  #filledAt: number

  /** @param perSecond  0: unlimited. @param now  Unix milliseconds */
  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond
    this.#tokens = perSecond * 2
    this.#filledAt = now
  }

  /** Consumes a token. @returns 0, or the milliseconds until the next token */
  consume(now: number): number {
    if (this.#perSecond === 0) return 0
    const filled = this.#tokens + (Math.max(0, now - this.#filledAt) * this.#perSecond) / 1000
    this.#tokens = Math.min(filled, this.#perSecond * 2)
    this.#filledAt = now
    if (this.#tokens < 1) return Math.ceil(((1 - this.#tokens) * 1000) / this.#perSecond)
    this.#tokens--
    return 0
  }
}
