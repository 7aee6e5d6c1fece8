import { type Dropped, publishedLifeMs, unpublishedLifeMs } from '../store/channels.js'
import { isTicketsOwner, ownersOf } from '../store/owners.js'
import type { QuotaStore } from '../store/quotas.js'
import { StoreUnavailable } from '../store/store.js'
import type { QuotaOwner } from './quota-owner.js'
import { QuotaOwners } from './quota-owners.js'
import { type QuotaLog, QuotaRefusals } from './quota-refusals.js'
import {
  burstSeconds,
  type KeptQuota,
  type OwnerLimits,
  type QuotaLimits,
  type QuotaRules,
  quotaRules,
  tokenMultipleSetting
} from './quotas.js'

/**
 * Part of a quota that an owner may use here before the store has returned its use on other instances or before a
 * restart. Larger amounts wait for the store.
 */
export const unknownShare = 1 / 256

export interface ClientQuotasOptions {
  readonly limits: OwnerLimits
  /** How long a publication is kept, in milliseconds. */
  readonly historyLifeMs: number
  /** Where instances add up their amounts. Undefined: there is one instance only. */
  readonly store: QuotaStore | undefined
  /** Unix milliseconds of the steady clock: a step of the wall clock would block or free every client. */
  readonly now: () => number
  readonly log: QuotaLog
  /** Called for each refused request. @param quota  its name in metrics, e.g. `channels` */
  readonly onRefusal: (quota: string) => void
}

export interface PublicationCost {
  /** See store/owners.ts. */
  readonly owners: string
  /** Bytes of the data. */
  readonly dataBytes: number
  /** Its bytes in a history. */
  readonly keptBytes: number
  /** Unix milliseconds. */
  readonly publishedAt: number
  /** Whether the client gave an idempotency key. */
  readonly hasKey: boolean
}

/** Amounts about to be added. */
export type QuotaAmounts = Partial<Record<KeptQuota, number>>

/**
 * Counts each client's use of shared resources. Requests are checked against the counts of this instance, without
 * asking the store; about once a second it adds its amounts to those of the other instances and reads theirs.
 *
 * Actions of a session with a ticket count for two owners: its client, and all tickets of the token that made it.
 * Parameters `owners` are texts of store/owners.ts. Amounts leave the count by themselves when they end (see
 * QuotaLedger).
 */
export class ClientQuotas {
  /** May change while the gateway runs. */
  limits: OwnerLimits
  readonly #options: ClientQuotasOptions
  readonly #rules: QuotaRules
  readonly #refusals: QuotaRefusals
  readonly #owners: QuotaOwners

  constructor(options: ClientQuotasOptions) {
    const { historyLifeMs, limits, log, now, onRefusal } = options
    this.#options = options
    this.limits = limits
    this.#rules = quotaRules(historyLifeMs)
    this.#refusals = new QuotaRefusals(log, now, onRefusal)
    this.#owners = new QuotaOwners({ ...options, rules: this.#rules })
  }

  /** Number of owners in memory. */
  get size(): number {
    return this.#owners.size
  }

  /** An owner's use of a quota. */
  used(name: string, quota: KeptQuota): number {
    return this.#owners.get(name)?.used(quota, this.#options.now()) ?? 0
  }

  /**
   * Await it before you charge amounts: reads the use of unknown owners from the store, if these amounts are large.
   * @returns undefined if no read is needed
   * @throws StoreUnavailable
   */
  readUnknown(owners: string, amounts: QuotaAmounts): Promise<unknown> | undefined {
    if (this.#options.store === undefined) return undefined
    const unread = this.#use(owners).filter(owner => this.#mustRead(owner, amounts))
    return unread.length === 0 ? undefined : Promise.all(unread.map(owner => this.#owners.read(owner)))
  }

  /** Counts bytes that are sent but not kept in a channel. @throws RateLimited; nothing is counted then */
  chargeBytes(owners: string, bytes: number): void {
    this.#spend(this.#use(owners), bytes)
  }

  /** Counts a publication. @throws RateLimited; nothing is counted then */
  chargePublication(cost: PublicationCost): void {
    const charged = this.#use(cost.owners)
    for (const owner of charged) {
      this.#require(owner, 'historyBytes', cost.keptBytes)
      if (cost.hasKey) this.#require(owner, 'idempotencyResults', 1)
    }
    this.#spend(charged, cost.dataBytes)
    this.#addPublication(charged, cost, 1)
  }

  /** Reverses a charge: nothing was published. */
  cancelPublication(cost: PublicationCost): void {
    this.#addPublication(this.#use(cost.owners), cost, -1)
  }

  #addPublication(charged: readonly QuotaOwner[], cost: PublicationCost, sign: 1 | -1): void {
    const { keptBytes, publishedAt, hasKey } = cost
    for (const owner of charged) {
      this.#owners.add(owner, 'historyBytes', sign * keptBytes, publishedAt + this.#options.historyLifeMs)
      const keyEndsAt = publishedAt + this.#rules.idempotencyResults.maxLifeMs
      if (hasKey) this.#owners.add(owner, 'idempotencyResults', sign, keyEndsAt)
    }
  }

  /** Subtracts publications that a history has dropped, for any reason. */
  creditDropped({ owners, bytes, publishedAt }: Dropped): void {
    const endsAt = publishedAt + this.#options.historyLifeMs
    if (owners === '' || endsAt + this.#rules.historyBytes.bucketMs <= this.#options.now()) return
    for (const owner of this.#use(owners)) this.#owners.add(owner, 'historyBytes', -bytes, endsAt)
  }

  /** Whether owners may create one more channel. */
  mayCreateChannel(owners: string): boolean {
    for (const name of ownersOf(owners)) {
      const { channels } = this.#limitsOf(name)
      if (channels !== 0 && this.used(name, 'channels') >= channels) return false
    }
    return true
  }

  /** @throws RateLimited unless {@link mayCreateChannel} */
  requireChannel(owners: string): void {
    for (const owner of this.#use(owners)) this.#require(owner, 'channels', 1)
  }

  /** Counts a channel that was created. @param isPublished  whether it was published to: it then lives longer */
  chargeChannel(owners: string, isPublished: boolean): void {
    const lifeMs = isPublished ? publishedLifeMs : unpublishedLifeMs
    for (const owner of this.#use(owners)) this.#owners.add(owner, 'channels', 1, this.#options.now() + lifeMs)
  }

  /**
   * Creates a ticket that counts for its owners, unless it certainly was not created.
   * @param endsAt  unix milliseconds
   * @throws RateLimited, StoreUnavailable, and what `create` throws
   */
  async createTicket<Ticket>(owners: string, endsAt: number, create: () => Promise<Ticket>): Promise<Ticket> {
    await this.readUnknown(owners, { tickets: 1 })
    const charged = this.#use(owners)
    for (const owner of charged) this.#require(owner, 'tickets', 1)
    const add = (amount: 1 | -1) => {
      for (const owner of charged) this.#owners.add(owner, 'tickets', amount, endsAt)
    }
    add(1)
    try {
      return await create()
    } catch (error) {
      if (!(error instanceof StoreUnavailable && error.outcome === 'unknown')) add(-1)
      throw error
    }
  }

  /** Adds this instance's amounts to the store and reads those of the others. Call it about once a second. */
  tick(): Promise<void> {
    return this.#owners.tick()
  }

  #use(owners: string): readonly QuotaOwner[] {
    return ownersOf(owners).map(name => this.#owners.use(name))
  }

  #limitsOf(name: string): QuotaLimits {
    return isTicketsOwner(name) ? this.limits.perToken : this.limits.perClient
  }

  #mustRead(owner: QuotaOwner, amounts: QuotaAmounts): boolean {
    if (!this.#owners.isUnknown(owner)) return false
    const limits = this.#limitsOf(owner.name)
    return (Object.keys(amounts) as KeptQuota[]).some(quota => {
      const limit = limits[quota]
      return limit > 0 && owner.pending(quota) + (amounts[quota] ?? 0) > limit * unknownShare
    })
  }

  /** @throws RateLimited if an owner would exceed a quota */
  #require(owner: QuotaOwner, quota: KeptQuota, amount: number): void {
    const limit = this.#limitsOf(owner.name)[quota]
    const now = this.#options.now()
    if (limit === 0 || owner.used(quota, now) + amount <= limit) return
    const { what, setting, name } = this.#rules[quota]
    throw this.#refusals.refuse({
      ...{ owner: owner.name, quota: name, limit, retryAfterMs: owner.nextEnd(quota) - now },
      message: usedUp(owner, `${limit} ${what}`, setting)
    })
  }

  /** Spends bytes of the rate. @throws RateLimited; nothing is spent then */
  #spend(owners: readonly QuotaOwner[], bytes: number): void {
    const now = this.#options.now()
    for (const owner of owners) {
      const retryAfterMs = this.#arrivalAfter(owner, bytes, now) - burstSeconds * 1000 - now
      if (retryAfterMs <= 0) continue
      const { bytesPerSecond } = this.#limitsOf(owner.name)
      throw this.#refusals.refuse({
        ...{ owner: owner.name, quota: 'bytes_per_second', limit: bytesPerSecond, retryAfterMs },
        message: usedUp(owner, `${bytesPerSecond} published bytes a second`, 'COUNTERSIGN_CLIENT_BYTES_PER_SECOND')
      })
    }
    for (const owner of owners) owner.arrival = this.#arrivalAfter(owner, bytes, now)
  }

  #arrivalAfter({ name, arrival }: QuotaOwner, bytes: number, now: number): number {
    const { bytesPerSecond } = this.#limitsOf(name)
    return bytesPerSecond === 0 ? arrival : Math.max(arrival, now) + (bytes / bytesPerSecond) * 1000
  }
}

/** @param setting  the setting to raise; undefined: the limit is fixed */
function usedUp({ name }: QuotaOwner, what: string, setting: string | undefined): string {
  if (isTicketsOwner(name)) {
    return `all tickets of this token together have used up their quota: ${what} (${tokenMultipleSetting})`
  }
  return `this client has used up its quota: ${what}${setting === undefined ? '' : ` (${setting})`}`
}
