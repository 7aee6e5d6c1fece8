/** State that ends by itself or with its session: used challenges, sessions, license slots, tickets and rates. */

/** Marks of used challenges. Challenges themselves are not stored (see `auth/challenge-token.ts`). */
export interface ChallengeStore {
  /**
   * The fence: a text that changes when marks may have been lost, by a restart, a rewind or an emptied store.
   * Challenges are issued under it, so that earlier ones are refused.
   * @throws StoreUnavailable
   */
  fence(): Promise<string>
  /**
   * Marks a challenge as used. Of concurrent calls, one succeeds.
   * @param fence   the fence that the challenge was checked under
   * @param lifeMs  life of the mark
   * @returns false if it was marked before, or the fence has changed
   * @throws StoreUnavailable
   */
  use(token: string, fence: string, lifeMs: number): Promise<boolean>
}

/** A live session as shown to all instances. Times are in unix milliseconds. */
export interface SessionEntry {
  readonly sessionId: string
  readonly clientId: string
  readonly keyId: string
  readonly instanceId: string
  readonly transport: 'ws' | 'bridge'
  readonly openedAt: number
  readonly expiresAt: number
  /** The session counts as dead after this time, unless it is touched. */
  readonly deadline: number
  readonly remoteAddress: string
  readonly attributes: Readonly<Record<string, string>>
}

/** Traffic of a session since it began. */
export interface SessionCounts {
  /** Verified frames; on the bridge each poll counts as one. */
  readonly frames: number
  readonly bytes: number
  /** Frames and exchanges that were answered with an error. */
  readonly refused: number
}

export const noCounts: SessionCounts = { frames: 0, bytes: 0, refused: 0 }

/** At most about a second old. */
export type CountedSession = SessionEntry & { readonly counts: SessionCounts }

/** A session that was active. */
export interface TouchedSession {
  readonly sessionId: string
  readonly deadline: number
  /** Traffic since it was last touched; absent: none. */
  readonly counts?: SessionCounts | undefined
}

export interface SessionStore {
  /** @returns false if the client already has `maxPerClient` live sessions; the session is then not kept */
  open(entry: SessionEntry, maxPerClient: number): Promise<boolean>
  /** Extends deadlines and adds counts, for any number of sessions in one call. Unknown sessions are skipped. */
  touch(sessions: readonly TouchedSession[]): Promise<void>
  /** Replaces the attributes of a session. @returns whether the session exists */
  setAttributes(sessionId: string, attributes: SessionEntry['attributes']): Promise<boolean>
  /** @returns whether the session existed */
  end(sessionId: string): Promise<boolean>
  get(sessionId: string): Promise<SessionEntry | undefined>
  /** Sessions in the order of the given ids; unknown ones are left out. */
  getMany(sessionIds: readonly string[]): Promise<readonly SessionEntry[]>
  /**
   * Sessions in order of their ids.
   * @param after     a session id; the list begins after it
   * @param limit     most sessions
   * @param clientId  lists only this client's sessions
   */
  list(after: string, limit: number, clientId?: string): Promise<readonly CountedSession[]>
  /** Sessions with the most frames, in descending order. @param limit  most sessions */
  top(limit: number): Promise<readonly CountedSession[]>
  count(): Promise<number>
  /**
   * Leases overdue sessions, each to exactly one caller, who must end it. A session that was not ended is leased again
   * after `leaseMs`, since its caller may have died.
   * @param now    unix milliseconds
   * @param limit  most sessions
   */
  reap(now: number, limit: number, leaseMs: number): Promise<readonly SessionEntry[]>
}

/**
 * The most licenses of which one session may hold a slot, licenses without `maxSessions` included. This concerns backends
 * that validate for many users.
 */
export const maxLicenseSlotsPerSession = 10_000

export type SlotOutcome = 'acquired' | 'licenseFull' | 'sessionFull'

/**
 * The sessions that use a license concurrently: those whose last `validate` of it was VALID. Ending or reaping a
 * session releases its slots; `endsAt` is the backstop.
 */
export interface LicenseSlotStore {
  /**
   * Acquires a slot, or keeps the one that the session has.
   * @param max     most sessions that may use the license
   * @param endsAt  expiry of the slot, unix milliseconds: the end of the session
   * @param now     unix milliseconds
   * @returns `licenseFull` if `max` other sessions have a slot at `now`, `sessionFull` if the session has
   *   {@link maxLicenseSlotsPerSession} others; the store then keeps nothing of the call
   */
  acquire(licenseId: string, sessionId: string, max: number, endsAt: number, now: number): Promise<SlotOutcome>
  release(licenseId: string, sessionId: string): Promise<void>
  releaseAll(sessionId: string): Promise<void>
}

/** Short-lived credentials (PROTOCOL §3), each kept as a text until it ends. */
export interface TicketStore {
  /**
   * @param owner  creator of the ticket, e.g. a token
   * @throws StoreUnavailable also if there are too many tickets; ShareExceeded if its owner exceeds its share
   */
  put(keyId: string, text: string, lifeMs: number, owner: string): Promise<void>
  get(keyId: string): Promise<string | undefined>
  /**
   * Tickets in no particular order. A ticket that exists during the whole listing is on at least one page.
   * @param after  '' or the `next` of the previous page
   * @param limit  about how many tickets
   */
  list(after: string, limit: number): Promise<TicketPage>
  /**
   * Replaces a text without changing its end. Also works at the capacity limit.
   * @returns false if the ticket has another text meanwhile, or ended
   */
  replace(keyId: string, expected: string, text: string): Promise<boolean>
}

export interface TicketPage {
  readonly items: readonly { readonly keyId: string; readonly text: string }[]
  /** Absent on the last page. */
  readonly next?: string
}

/** Rates counted jointly by all instances, by the generic cell rate algorithm, which has no window edges. */
export interface RateLimitStore {
  /**
   * Consumes `cost` of a rate.
   * @param name       identifies the rate
   * @param cost       0 only checks whether 1 is available
   * @param perMinute  the long-term rate; the burst has the same size
   * @returns 0 if there was enough; otherwise nothing was consumed, and the milliseconds until there is enough
   */
  consume(name: string, cost: number, perMinute: number): Promise<number>
}
