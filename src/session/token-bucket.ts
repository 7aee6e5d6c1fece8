/** A token bucket: `perSecond` in the long run, twice that at once. */
export class TokenBucket {
  readonly #perSecond: number
  #tokens: number
  #filledAt: number

  /** @param perSecond  0: no bound */
  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond
    this.#tokens = perSecond * 2
    this.#filledAt = now
  }

  /** Takes a token. @returns 0, or the milliseconds until there is one */
  take(now: number): number {
    if (this.#perSecond === 0) return 0
    const filled = this.#tokens + (Math.max(0, now - this.#filledAt) * this.#perSecond) / 1000
    this.#tokens = Math.min(filled, this.#perSecond * 2)
    this.#filledAt = now
    if (this.#tokens < 1) return Math.ceil(((1 - this.#tokens) * 1000) / this.#perSecond)
    this.#tokens--
    return 0
  }
}
