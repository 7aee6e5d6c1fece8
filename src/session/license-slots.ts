import { ProtocolError } from '../protocol/protocol-error.js'
import type { License } from '../registry/licenses.js'
import { type LicenseSlotStore, maxLicenseSlotsPerSession, type SlotOutcome } from '../store/store.js'

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
    // Recorded before the store is asked: an end meanwhile releases recorded slots.
    this.#held.add(licenseId)
    const outcome = await acquireSlot(this.#store, this.#owner, licenseId, maxSessions)
    if (outcome !== 'acquired') this.#held.delete(licenseId)
    return isAllowed(outcome, maxSessions)
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

  async acquire({ licenseId, maxSessions }: Pick<License, 'licenseId' | 'maxSessions'>): Promise<boolean> {
    return isAllowed(await acquireSlot(this.#store, this.#owner, licenseId, maxSessions), maxSessions)
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
): Promise<SlotOutcome> {
  const outcome = await store.acquire(licenseId, sessionId, maxSessions, endsAt, now())
  // The end of the session may have released its slots before this one was acquired.
  if (hasEnded()) await store.release(licenseId, sessionId)
  return outcome
}

/**
 * A session that holds as many slots as it may still uses licenses without a limit.
 * @throws ProtocolError RATE_LIMITED
 */
function isAllowed(outcome: SlotOutcome, maxSessions: number | undefined): boolean {
  if (outcome !== 'sessionFull') return outcome === 'acquired'
  if (maxSessions === undefined) return true
  throw new ProtocolError('RATE_LIMITED', `a session holds slots of at most ${maxLicenseSlotsPerSession} licenses`)
}
