import { StoreUnavailable } from '../store/errors.js'
import type { QuotaStore } from '../store/quotas.js'
import { QuotaOwner } from './quota-owner.js'
import type { QuotaLog } from './quota-refusals.js'
import type { KeptQuota, QuotaRules } from './quotas.js'

/**
 * Owners that are remembered, each with some 500 bytes. Above, the least recently used owner is forgotten, or the first
 * of the {@link maxEvictionScan} least recently used that uses nothing.
 */
export const maxQuotaOwners = 50_000
const maxEvictionScan = 16
/** Owners whose amounts one tick adds to the store; the others wait for the next. */
const maxFlushedOwners = 2000
/**
 * An owner counts as unknown after this time without an answer of the store, in milliseconds: it may have used more.
 */
const unknownAfterMs = 10_000

export interface QuotaOwnersOptions {
  readonly rules: QuotaRules
  /** Where instances add up their amounts. Undefined: there is one instance only. */
  readonly store: QuotaStore | undefined
  /** Unix milliseconds of the steady clock. */
  readonly now: () => number
  readonly log: QuotaLog
}

/** The owners known to this instance, with their amounts of all instances. */
export class QuotaOwners {
  readonly #options: QuotaOwnersOptions
  // Least recently used first.
  readonly #owners = new Map<string, QuotaOwner>()
  /** The most recently used. */
  #newest: QuotaOwner | undefined
  /** Owners with amounts that the store does not have yet, including at most {@link maxQuotaOwners} forgotten ones. */
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

  /** Returns the owner and marks it as the most recently used. */
  use(name: string): QuotaOwner {
    if (this.#newest?.name === name) return this.#newest
    const owner = this.#owners.get(name) ?? new QuotaOwner(name, this.#options.rules)
    this.#newest = owner
    if (!this.#owners.delete(name) && this.#owners.size >= maxQuotaOwners) this.#evict()
    this.#owners.set(name, owner)
    return owner
  }

  /** @param amount  negative if an amount ended early. @param endsAt  unix milliseconds */
  add(owner: QuotaOwner, quota: KeptQuota, amount: number, endsAt: number): void {
    owner.add(quota, amount, endsAt, this.#options.now())
    if (this.#options.store !== undefined) this.#pending.add(owner)
  }

  /** Whether the amounts of other instances for an owner are unknown here, or outdated. */
  isUnknown({ readAt }: QuotaOwner): boolean {
    return this.#options.store !== undefined && this.#options.now() - readAt >= unknownAfterMs
  }

  /** Reads an owner's amounts of all instances. Concurrent calls share a read. @throws StoreUnavailable */
  read(owner: QuotaOwner): Promise<void> {
    const { store } = this.#options
    if (store === undefined) return Promise.resolve()
    owner.reading ??= this.#exchange(owner, store).finally(() => {
      owner.reading = undefined
    })
    return owner.reading
  }

  /** Adds this instance's amounts to the store and reads those of the others. Call it about once a second. */
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
      // If the store did apply them, its next answer shows it.
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
    // Amounts of forgotten owners are still sent, unless the store is unavailable and too many wait.
    if (this.#pending.size > maxQuotaOwners) this.#pending.delete(forgotten)
  }
}
