/**
 * The amounts of one quota that one owner uses. Each amount has an end and expires by itself: amounts are summed in
 * buckets of time, and a bucket leaves the sum when its time is over.
 */
export class QuotaLedger {
  readonly #bucketMs: number
  /** The sum of all instances as the store last returned it, by bucket. */
  #stored: ReadonlyMap<number, number> = new Map()
  /** Amounts that this instance has not yet added to the store. */
  readonly #pending = new Map<number, number>()
  #used = 0
  /** End of a bucket of the sum, in Unix milliseconds. */
  #validUntil = 0

  /** @param bucketMs  an amount counts for up to this long after its end */
  constructor(bucketMs: number) {
    this.#bucketMs = bucketMs
  }

  /** The sum of the amounts that have not ended. @param now  unix milliseconds */
  used(now: number): number {
    if (now >= this.#validUntil) this.#sum(now)
    return Math.max(0, this.#used)
  }

  /** When the next amounts end, in Unix milliseconds; 0 if there are none. */
  get nextEnd(): number {
    return Number.isFinite(this.#validUntil) ? this.#validUntil : 0
  }

  /**
   * @param amount  negative if an amount ended early
   * @param endsAt  end of the amount, in Unix milliseconds
   */
  add(amount: number, endsAt: number, now: number): void {
    const bucket = Math.ceil(endsAt / this.#bucketMs)
    const end = bucket * this.#bucketMs
    if (amount === 0 || end <= now) return
    this.used(now)
    const before = this.#at(bucket)
    this.#pending.set(bucket, (this.#pending.get(bucket) ?? 0) + amount)
    this.#used += this.#at(bucket) - before
    this.#validUntil = Math.min(this.#validUntil, end)
  }

  /** Added amounts that were not yet sent to the store, without freed ones. */
  get pending(): number {
    let sum = 0
    for (const amount of this.#pending.values()) if (amount > 0) sum += amount
    return sum
  }

  /** Returns the pending amounts by bucket. Until {@link store} they count as sent, no longer as pending. */
  removePending(): ReadonlyMap<number, number> {
    const sent = new Map(this.#pending)
    this.#pending.clear()
    const stored = new Map(this.#stored)
    for (const [bucket, amount] of sent) stored.set(bucket, (stored.get(bucket) ?? 0) + amount)
    this.#stored = stored
    return sent
  }

  /** Makes amounts pending again, since the store did not get them. */
  restore(unsent: ReadonlyMap<number, number>): void {
    const stored = new Map(this.#stored)
    for (const [bucket, amount] of unsent) {
      stored.set(bucket, (stored.get(bucket) ?? 0) - amount)
      this.#pending.set(bucket, (this.#pending.get(bucket) ?? 0) + amount)
    }
    this.store(stored)
  }

  /** Sets the amounts of all instances. @param stored  by bucket */
  store(stored: ReadonlyMap<number, number>): void {
    this.#stored = stored
    this.#validUntil = 0
  }

  /** An amount may be freed here before the instance that counted it has sent it: until then the sum is below 0. */
  #at(bucket: number): number {
    return Math.max(0, (this.#stored.get(bucket) ?? 0) + (this.#pending.get(bucket) ?? 0))
  }

  #sum(now: number): void {
    const first = Math.floor(now / this.#bucketMs) + 1
    this.#used = 0
    this.#validUntil = Number.POSITIVE_INFINITY
    const stored = new Map<number, number>()
    for (const [bucket, amount] of this.#stored) if (bucket >= first && amount !== 0) stored.set(bucket, amount)
    for (const bucket of this.#pending.keys()) if (bucket < first) this.#pending.delete(bucket)
    this.#stored = stored
    for (const bucket of new Set([...stored.keys(), ...this.#pending.keys()])) {
      this.#used += this.#at(bucket)
      this.#validUntil = Math.min(this.#validUntil, bucket * this.#bucketMs)
    }
  }
}
