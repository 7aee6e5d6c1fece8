/**
 * Measures how long a publication takes from this instance through Redis to its subscriber, with its own message at
 * each {@link check}.
 */
export class LagProbe {
  readonly #now: () => number
  readonly #publish: () => Promise<void>
  #sentAt: number | undefined
  #lastMs = 0

  /** @param now  monotonic milliseconds */
  constructor(now: () => number, publish: () => Promise<void>) {
    this.#now = now
    this.#publish = publish
  }

  /** Milliseconds that the last message took, or that the outstanding one has taken so far. */
  get lagMs(): number {
    return this.#sentAt === undefined ? this.#lastMs : Math.max(this.#lastMs, this.#now() - this.#sentAt)
  }

  /** Publishes the next message if the previous one has arrived. */
  check(): void {
    if (this.#sentAt !== undefined) return
    this.#sentAt = this.#now()
    this.#publish().catch(() => {
      // It was not published, so it proves nothing about the subscriber.
      this.#sentAt = undefined
    })
  }

  /** Call it when the message arrives, and when its connection was replaced: the message may be lost. */
  arrived(isLost = false): void {
    if (this.#sentAt !== undefined && !isLost) this.#lastMs = this.#now() - this.#sentAt
    this.#sentAt = undefined
  }
}
