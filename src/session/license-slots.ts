import { ProtocolError } from '../protocol/protocol-error.js'
import type { License } from '../registry/licenses.js'
import type { LicenseSlotStore } from '../store/store.js'

/**
 * The most licenses on which one session may hold a slot. Above, licenses without `maxSessions` are still validated,
 * and those with one are refused with RATE_LIMITED: this concerns backends that validate for many users.
 */
export const maxLicenseSlotsPerSession = 10_000

/**
 * A session's slots. It holds a slot of a license while its last validate of it was VALID (PROTOCOL §7,
 * TOO_MANY_SESSIONS). A hwid binding, by contrast, outlasts the session.
 */
export interface LicenseSlots {
  /**
   * Acquires a slot, or keeps the one that the session holds.
   * @returns false when `maxSessions` other sessions hold one
   * @throws ProtocolError RATE_LIMITED when the session holds too many
   * @throws StoreUnavailable
   */
  acquire(license: Pick<License, 'licenseId' | 'maxSessions'>): Promise<boolean>
  /** Releases a slot, if the session holds it. @throws StoreUnavailable */
  release(licenseId: string): Promise<void>
  /** Releases all slots when the session ends. @throws StoreUnavailable */
  releaseAll(): Promise<void>
}

export interface LicenseSlotOwner {
  readonly sessionId: string
  /** When the slots expire, in Unix milliseconds: not before the session does. */
  readonly endsAt: number
  /** Whether the session has ended meanwhile. */
  readonly hasEnded: () => boolean
  /** Unix milliseconds. */
  readonly now: () => number
}

/**
 * The slots of a session that one instance serves. It knows the slots that it holds, and asks the store only about
 * those.
 */
export class TrackedLicenseSlots implements LicenseSlots {
  readonly #store: LicenseSlotStore
  readonly #owner: LicenseSlotOwner
  readonly #held = new Set<string>()

  constructor(store: LicenseSlotStore, owner: LicenseSlotOwner) {
    this.#store = store
    this.#owner = owner
  }

  async acquire({ licenseId, maxSessions }: Pick<License, 'licenseId' | 'maxSessions'>): Promise<boolean> {
    const wasHeld = this.#held.has(licenseId)
    if (!wasHeld && this.#held.size >= maxLicenseSlotsPerSession) {
      if (maxSessions === undefined) return true
      throw new ProtocolError('RATE_LIMITED', `a session holds slots on at most ${maxLicenseSlotsPerSession} licenses`)
    }
    // Recorded before the store is asked: an end meanwhile releases recorded slots.
    this.#held.add(licenseId)
    const acquired = await acquireSlot(this.#store, this.#owner, licenseId, maxSessions)
    if (!acquired && !wasHeld) this.#held.delete(licenseId)
    return acquired
  }

  async release(licenseId: string): Promise<void> {
    if (this.#held.delete(licenseId)) await this.#store.release(licenseId, this.#owner.sessionId)
  }

  async releaseAll(): Promise<void> {
    if (this.#held.size === 0) return
    await this.#store.releaseAll(this.#owner.sessionId)
    this.#held.clear()
  }
}

/**
 * The slots of a session that any instance may serve. Only the store knows the slots that it holds, so each call asks
 * it.
 */
export class StoredLicenseSlots implements LicenseSlots {
  readonly #store: LicenseSlotStore
  readonly #owner: LicenseSlotOwner

  constructor(store: LicenseSlotStore, owner: LicenseSlotOwner) {
    this.#store = store
    this.#owner = owner
  }

  acquire({ licenseId, maxSessions }: Pick<License, 'licenseId' | 'maxSessions'>): Promise<boolean> {
    return acquireSlot(this.#store, this.#owner, licenseId, maxSessions)
  }

  async release(licenseId: string): Promise<void> {
    await this.#store.release(licenseId, this.#owner.sessionId)
  }

  async releaseAll(): Promise<void> {
    await this.#store.releaseAll(this.#owner.sessionId)
  }
}

async function acquireSlot(
  store: LicenseSlotStore,
  { sessionId, endsAt, hasEnded, now }: LicenseSlotOwner,
  licenseId: string,
  maxSessions: number = Number.MAX_SAFE_INTEGER
): Promise<boolean> {
  const acquired = await store.acquire(licenseId, sessionId, maxSessions, endsAt, now())
  // The end of the session may have released its slots before this one was acquired.
  if (hasEnded()) await store.release(licenseId, sessionId)
  return acquired
}
