/** Clients' use of quotas, added up over all instances. */

/** An amount of one owner that counts until its bucket of time is over. */
export interface QuotaAmount {
  /** A quota and a bucket of time, e.g. `channels:23525946`. */
  readonly field: string
  /** Added to the field's amount; negative if part of it was freed. */
  readonly amount: number
}

export interface QuotaUpdate {
  /** A client id, or a token. */
  readonly owner: string
  readonly amounts: readonly QuotaAmount[]
  /** Fields whose time is over. */
  readonly ended: readonly string[]
  /** Minimum life of the owner's amounts, in milliseconds. */
  readonly lifeMs: number
}

export interface QuotaStore {
  /** Adds an instance's amounts. @returns the owner's amounts of all instances, by field. @throws StoreUnavailable */
  add(update: QuotaUpdate): Promise<ReadonlyMap<string, number>>
}
