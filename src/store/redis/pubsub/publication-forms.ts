/** Announcement of an instance, as far as it matters here. */
export interface AnnouncedForms {
  /** Whether it sends and receives publications in the sharded form. */
  readonly isSharded: boolean
}

/** Forms in which a publication is sent, as scripts/channel-publish.lua names them. */
export type SentForms = 'plain' | 'sharded' | 'both'

/** Time for which both forms are used after an instance without the sharded form was last seen, in milliseconds. */
export const bothFormsMs = 30_000

/**
 * The forms of this instance's publications. All instances with the sharded form always send and receive in it, so they
 * reach each other in any case. While there is an instance of an earlier version, or was recently, they also send and
 * receive in the plain form: publications then arrive twice, and the duplicate is dropped. An instance that starts
 * after the last check misses publications until the next one, and then reads them.
 */
export class PublicationForms {
  readonly isSharded: boolean
  readonly #now: () => number
  readonly #keptMs: number
  #plainSeenAt = Number.NEGATIVE_INFINITY

  /**
   * @param now  monotonic milliseconds
   * @param keptMs  time for which both forms are used after an instance without the sharded form was last seen
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

  /** @param instances  all live instances, including this one */
  learn(instances: readonly AnnouncedForms[]): void {
    if (instances.some(({ isSharded }) => !isSharded)) this.#plainSeenAt = this.#now()
  }
}
