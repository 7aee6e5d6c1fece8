import { StoreUnavailable } from '../store/errors.js'
import type { QuotaStore } from '../store/quotas.js'
import { QuotaOwner } from './quota-owner.js'
import type { QuotaLog } from './quota-refusals.js'
import type { KeptQuota, QuotaRules } from './quotas.js'

/**
 * Owners that are remembered, each with some 500 bytes. Above, the one that has been quiet for the longest time is
 * forgotten; if one of the {@link maxEvictionScan} quietest uses nothing, that one.
 */
export const maxQuotaOwners = 50_000
const maxEvictionScan = 16
/** Owners whose amounts one tick adds to the store; the others wait for the next. */
const maxFlushedOwners = 2000
/** After this time without an answer of the store, in milliseconds, an owner counts as unknown: it may have used more. */
const unknownAfterMs = 10_000

export interface QuotaOwnersOptions {
  readonly rules: QuotaRules
  /** Where instances add up their amounts. Undefined: there is one instance. */
  readonly store: QuotaStore | undefined
  /** Unix milliseconds of the steady clock. */
  readonly now: () => number
  readonly log: QuotaLog
}

/** The owners that this instance knows, and what all instances have counted for them. */
export class QuotaOwners {
  readonly #options: QuotaOwnersOptions
  // The one that has been quiet for the longest time first.
  readonly #owners = new Map<string, QuotaOwner>()
  /** The last of them. */
  #newest: QuotaOwner | undefined
  /** Owners with amounts that the store does not have yet; {@link maxQuotaOwners} of those that are forgotten, at most. */
  readonly #pending = new Set<QuotaOwner>()

  constructor(options: QuotaOwnersOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#owners.size
  }

  get(name: string): QuotaOwner | undefined {
    return this.#owners.get(name)
  }

  /** The owner, as the one that was used last. */
  use(name: string): QuotaOwner {
    if (this.#newest?.name === name) return this.#newest
    const owner = this.#owners.get(name) ?? new QuotaOwner(name, this.#options.rules)
    this.#newest = owner
    if (!this.#owners.delete(name) && this.#owners.size >= maxQuotaOwners) this.#evict()
    this.#owners.set(name, owner)
    return owner
  }

  /** @param amount  negative if something ended before its time. @param endsAt  unix milliseconds */
  add(owner: QuotaOwner, quota: KeptQuota, amount: number, endsAt: number): void {
    owner.add(quota, amount, endsAt, this.#options.now())
    if (this.#options.store !== undefined) this.#pending.add(owner)
  }

  /** Whether what other instances counted for an owner is unknown here, or no longer known. */
  isUnknown({ readAt }: QuotaOwner): boolean {
    return this.#options.store !== undefined && this.#options.now() - readAt >= unknownAfterMs
  }

  /** Reads what all instances have counted for an owner. Concurrent calls share a read. @throws StoreUnavailable */
  read(owner: QuotaOwner): Promise<void> {
    const { store } = this.#options
    if (store === undefined) return Promise.resolve()
    owner.reading ??= this.#exchange(owner, store).finally(() => {
      owner.reading = undefined
    })
    return owner.reading
  }

  /** Adds this instance's amounts to the store and reads those of the others. To be called about once a second. */
  async tick(): Promise<void> {
    const { store, log } = this.#options
    if (store === undefined) return
    const owners = [...this.#pending].slice(0, maxFlushedOwners)
    const failed = (error: unknown) => log.debug({ err: error }, 'could not add up quotas')
    await Promise.all(owners.map(owner => this.#exchange(owner, store).catch(failed)))
  }

  async #exchange(owner: QuotaOwner, store: QuotaStore): Promise<void> {
    this.#pending.delete(owner)
    const { update, restore } = owner.beginUpdate()
    try {
      owner.store(await store.add(update), this.#options.now())
    } catch (error) {
      // If the store may have got them, the next answer shows it.
      if (error instanceof StoreUnavailable && error.outcome === 'unsent') {
        restore()
        this.#pending.add(owner)
      }
      throw error
    }
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
    if (forgotten === undefined) return
    this.#owners.delete(forgotten.name)
    // The amounts of the forgotten are still sent, unless the store is away and too many wait.
    if (this.#pending.size > maxQuotaOwners) this.#pending.delete(forgotten)
  }
}
