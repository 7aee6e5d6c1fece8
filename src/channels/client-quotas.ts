import { publishedLifeMs, unpublishedLifeMs } from '../store/channels.js'
import { StoreUnavailable } from '../store/errors.js'
import type { QuotaStore } from '../store/quotas.js'
import { QuotaOwner } from './quota-owner.js'
import { type QuotaLog, QuotaRefusals } from './quota-refusals.js'
import { burstSeconds, type KeptQuota, type QuotaLimits, type QuotaRules, quotaRules } from './quotas.js'

/**
 * Owners that are remembered, each with some 500 bytes. Above, the one that has been quiet for the longest time is
 * forgotten; if one of the {@link maxEvictionScan} quietest uses nothing, that one.
 */
export const maxQuotaOwners = 50_000
const maxEvictionScan = 16
/** Owners whose amounts one tick adds to the store; the others wait for the next. */
const maxFlushedOwners = 2000

export interface ClientQuotasOptions {
  readonly limits: QuotaLimits
  /** How long a publication is kept, in milliseconds. */
  readonly historyLifeMs: number
  /** Where instances add up their amounts. Undefined: there is one instance. */
  readonly store: QuotaStore | undefined
  /** Unix milliseconds of the steady clock: a step of the wall clock would stop or free every client. */
  readonly now: () => number
  readonly log: QuotaLog
  /** A request was refused. @param quota  its name in metrics, e.g. `channels` */
  readonly onRefusal: (quota: string) => void
}

export interface PublicationCost {
  /** Bytes of the data. */
  readonly dataBytes: number
  /** Bytes that it takes in a history. */
  readonly keptBytes: number
  /** Unix milliseconds. */
  readonly publishedAt: number
  /** Whether the client gave an idempotency key. */
  readonly hasKey: boolean
}

/** A publication that was counted before the store was asked. */
export interface PublicationCharge {
  /** Corrects the count by what the publication dropped from the history, or by what it did not add. */
  settle(outcome: { readonly duplicate: boolean; readonly droppedBytes: number; readonly droppedAt: number }): void
  /** The publication was not made. */
  cancel(): void
}

/**
 * What each client uses of what all clients share. Requests are checked against what this instance knows, without asking the
 * store; about once a second it adds its amounts to those of the other instances and reads theirs.
 *
 * An owner is a client id, or `token:<tokenId>`. Amounts leave the count by themselves when they end (see QuotaLedger).
 */
export class ClientQuotas {
  readonly #options: ClientQuotasOptions
  readonly #rules: QuotaRules
  readonly #refusals: QuotaRefusals
  // The one that has been quiet for the longest time first.
  readonly #owners = new Map<string, QuotaOwner>()
  /** Owners with amounts that the store does not have yet. */
  readonly #pending = new Set<QuotaOwner>()

  constructor(options: ClientQuotasOptions) {
    this.#options = options
    this.#rules = quotaRules(options.historyLifeMs)
    this.#refusals = new QuotaRefusals(options.log, options.now, options.onRefusal)
  }

  /** Owners that are remembered. */
  get size(): number {
    return this.#owners.size
  }

  /** What an owner uses of a quota. */
  used(name: string, quota: KeptQuota): number {
    return this.#owners.get(name)?.used(quota, this.#options.now()) ?? 0
  }

  /** Counts a publication. @throws RateLimited; nothing is counted then */
  chargePublication(name: string, cost: PublicationCost): PublicationCharge {
    const { dataBytes, keptBytes, publishedAt, hasKey } = cost
    const owner = this.#use(name)
    this.#require(owner, 'historyBytes', keptBytes)
    if (hasKey) this.#require(owner, 'idempotencyResults', 1)
    this.#spend(owner, dataBytes)
    const { historyLifeMs } = this.#options
    const add = (sign: 1 | -1) => {
      this.#add(owner, 'historyBytes', sign * keptBytes, publishedAt + historyLifeMs)
      if (hasKey) this.#add(owner, 'idempotencyResults', sign, publishedAt + this.#rules.idempotencyResults.maxLifeMs)
    }
    add(1)
    return {
      cancel: () => add(-1),
      settle: ({ duplicate, droppedBytes, droppedAt }) => {
        if (duplicate) add(-1)
        else if (droppedBytes > 0) this.#add(owner, 'historyBytes', -droppedBytes, droppedAt + historyLifeMs)
      }
    }
  }

  /** Whether an owner may create one more channel. */
  mayCreateChannel(name: string): boolean {
    const { channels } = this.#options.limits
    return channels === 0 || this.used(name, 'channels') < channels
  }

  /** @throws RateLimited unless {@link mayCreateChannel} */
  requireChannel(name: string): void {
    this.#require(this.#use(name), 'channels', 1)
  }

  /** Counts a channel that an owner created. @param isPublished  whether it was published to: then it lives longer */
  chargeChannel(name: string, isPublished: boolean): void {
    const lifeMs = isPublished ? publishedLifeMs : unpublishedLifeMs
    this.#add(this.#use(name), 'channels', 1, this.#options.now() + lifeMs)
  }

  /** Counts a ticket. @param endsAt  unix milliseconds. @throws RateLimited; nothing is counted then */
  chargeTicket(name: string, endsAt: number): void {
    const owner = this.#use(name)
    this.#require(owner, 'tickets', 1)
    this.#add(owner, 'tickets', 1, endsAt)
  }

  /** Adds this instance's amounts to the store and reads those of the others. To be called about once a second. */
  async tick(): Promise<void> {
    const { store } = this.#options
    if (store === undefined) return
    const owners = [...this.#pending].slice(0, maxFlushedOwners)
    for (const owner of owners) this.#pending.delete(owner)
    await Promise.all(owners.map(owner => this.#flush(owner, store)))
  }

  async #flush(owner: QuotaOwner, store: QuotaStore): Promise<void> {
    const { update, restore } = owner.beginUpdate()
    try {
      owner.store(await store.add(update), this.#options.now())
    } catch (error) {
      this.#options.log.debug({ err: error }, 'could not add up quotas')
      // If the store may have got them, the next answer shows it.
      if (!(error instanceof StoreUnavailable) || error.outcome === 'unknown') return
      restore()
      this.#pending.add(owner)
    }
  }

  #use(name: string): QuotaOwner {
    const owner = this.#owners.get(name) ?? new QuotaOwner(name, this.#rules)
    if (!this.#owners.delete(name) && this.#owners.size >= maxQuotaOwners) this.#evict()
    this.#owners.set(name, owner)
    return owner
  }

  #evict(): void {
    const now = this.#options.now()
    let [forgotten] = this.#owners.values()
    let scanned = 0
    for (const owner of this.#owners.values()) {
      if (scanned++ === maxEvictionScan) break
      if (!owner.isIdle(now)) continue
      forgotten = owner
      break
    }
    if (forgotten !== undefined) this.#owners.delete(forgotten.name)
  }

  #add(owner: QuotaOwner, quota: KeptQuota, amount: number, endsAt: number): void {
    owner.add(quota, amount, endsAt, this.#options.now())
    if (this.#options.store !== undefined) this.#pending.add(owner)
  }

  /** @throws RateLimited if an owner may not use so much more of a quota */
  #require(owner: QuotaOwner, quota: KeptQuota, amount: number): void {
    const limit = this.#options.limits[quota]
    const now = this.#options.now()
    if (limit === 0 || owner.used(quota, now) + amount <= limit) return
    const { what, setting, name } = this.#rules[quota]
    throw this.#refusals.refuse({
      ...{ owner: owner.name, quota: name, limit },
      message: `this client has used up its quota: ${limit} ${what}${setting === undefined ? '' : ` (${setting})`}`,
      retryAfterMs: owner.nextEnd(quota) - now
    })
  }

  /** Spends bytes of the rate. @throws RateLimited */
  #spend(owner: QuotaOwner, bytes: number): void {
    const { bytesPerSecond } = this.#options.limits
    if (bytesPerSecond === 0) return
    const now = this.#options.now()
    const next = Math.max(owner.arrival, now) + (bytes / bytesPerSecond) * 1000
    const waitMs = next - burstSeconds * 1000 - now
    if (waitMs > 0) {
      throw this.#refusals.refuse({
        ...{ owner: owner.name, quota: 'bytes_per_second', limit: bytesPerSecond, retryAfterMs: waitMs },
        message: `this client publishes too fast: ${bytesPerSecond} bytes a second (COUNTERSIGN_CLIENT_BYTES_PER_SECOND)`
      })
    }
    owner.arrival = next
  }
}
