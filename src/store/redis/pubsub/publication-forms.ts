/** What an instance announces about itself. */
export interface AnnouncedForms {
  /** Whether it sends and receives publications in the sharded form. */
  readonly isSharded: boolean
}

/** Forms in which a publication is sent, as scripts/channel-publish.lua names them. */
export type SentForms = 'plain' | 'sharded' | 'both'

/** How long both forms are used after an instance without the sharded form was seen last, in milliseconds. */
export const bothFormsMs = 30_000

/**
 * The forms of this instance's publications. All instances that have the sharded form always send and receive in it, so
 * they reach each other whatever each of them knows. While an instance of an earlier version is there, or was lately,
 * they send and receive in the plain form too: publications then arrive twice, and the second time counts for nothing.
 * An instance that starts later than the last look misses publications until the next one, and reads them then.
 */
export class PublicationForms {
  readonly isSharded: boolean
  readonly #now: () => number
  readonly #keptMs: number
  #plainSeenAt = Number.NEGATIVE_INFINITY

  /**
   * @param now  monotonic milliseconds
   * @param keptMs  how long both forms are used after an instance without the sharded form was seen last
   */
  constructor(isSharded: boolean, now: () => number, keptMs = bothFormsMs) {
    this.isSharded = isSharded
    this.#now = now
    this.#keptMs = keptMs
  }

  get isPlain(): boolean {
    return !this.isSharded || this.#now() - this.#plainSeenAt < this.#keptMs
  }

  get sent(): SentForms {
    if (!this.isSharded) return 'plain'
    return this.isPlain ? 'both' : 'sharded'
  }

  /** @param instances  those that are there, this one included */
  learn(instances: readonly AnnouncedForms[]): void {
    if (instances.some(({ isSharded }) => !isSharded)) this.#plainSeenAt = this.#now()
  }
}
