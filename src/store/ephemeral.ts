/** State that ends by itself or with its session: used challenges, sessions, license slots, tickets and rates. */

/** Marks of used challenges. Challenges themselves are not stored (see `auth/challenge-token.ts`). */
export interface ChallengeStore {
  /**
   * The fence: a text that becomes another one when marks may have been lost, by a restart, a rewind, or because the store
   * was emptied. Challenges are issued under it, so that one from before is refused.
   * @throws StoreUnavailable
   */
  fence(): Promise<string>
  /**
   * Marks a challenge as used. Of concurrent calls one succeeds.
   * @param fence   under which the challenge was checked
   * @param lifeMs  how long the mark is kept
   * @returns false if it was marked before, or the fence is another one now
   * @throws StoreUnavailable
   */
  use(token: string, fence: string, lifeMs: number): Promise<boolean>
}

/** A live session as every instance sees it. Times are in unix milliseconds. */
export interface SessionEntry {
  readonly sessionId: string
  readonly clientId: string
  readonly keyId: string
  readonly instanceId: string
  readonly transport: 'ws' | 'bridge'
  readonly openedAt: number
  readonly expiresAt: number
  /** When the session counts as dead unless it is touched before. */
  readonly deadline: number
  readonly remoteAddress: string
  readonly attributes: Readonly<Record<string, string>>
}

/** What a session has sent since it began. */
export interface SessionCounts {
  /** Verified frames; on the bridge each poll is one too. */
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
  /** What it has sent since it was last touched; absent: nothing. */
  readonly counts?: SessionCounts | undefined
}

export interface SessionStore {
  /** @returns false if the client already has `maxPerClient` live sessions; the session is then not kept */
  open(entry: SessionEntry, maxPerClient: number): Promise<boolean>
  /** Moves deadlines forward and adds counts, any number of sessions in one call. Unknown sessions are skipped. */
  touch(sessions: readonly TouchedSession[]): Promise<void>
  /** Replaces the attributes of a session. @returns whether the session was there */
  setAttributes(sessionId: string, attributes: SessionEntry['attributes']): Promise<boolean>
  /** @returns whether the session was there */
  end(sessionId: string): Promise<boolean>
  get(sessionId: string): Promise<SessionEntry | undefined>
  /** Sessions in the order of their ids here; unknown ones are left out. */
  getMany(sessionIds: readonly string[]): Promise<readonly SessionEntry[]>
  /**
   * Sessions in the order of their ids.
   * @param after     a session id; the list begins after it
   * @param limit     most sessions
   * @param clientId  lists only this client's sessions
   */
  list(after: string, limit: number, clientId?: string): Promise<readonly CountedSession[]>
  /** Sessions with the most frames, those with the most first. @param limit  most sessions */
  top(limit: number): Promise<readonly CountedSession[]>
  count(): Promise<number>
  /**
   * Leases sessions whose deadline has passed, each to exactly one caller, who must end it. A session that was not ended
   * is leased again after `leaseMs`, since its caller may have died.
   * @param now    unix milliseconds
   * @param limit  most sessions
   */
  reap(now: number, limit: number, leaseMs: number): Promise<readonly SessionEntry[]>
}

/**
 * The sessions that use a license concurrently: those whose last `validate` of it was VALID. Whoever ends or reaps a
 * session releases its slots; `endsAt` is the backstop.
 */
export interface LicenseSlotStore {
  /**
   * Acquires a slot, or keeps the one that the session has.
   * @param max     most sessions that may use the license
   * @param endsAt  when the slot ends by itself, unix milliseconds: the end of the session
   * @param now     unix milliseconds
   * @returns false if `max` other sessions have a slot at `now`
   */
  acquire(licenseId: string, sessionId: string, max: number, endsAt: number, now: number): Promise<boolean>
  release(licenseId: string, sessionId: string): Promise<void>
  releaseAll(sessionId: string): Promise<void>
}

/** Short-lived credentials (PROTOCOL §3), each kept as a text until it ends. */
export interface TicketStore {
  /**
   * @param owner  who creates the ticket, e.g. a token
   * @throws StoreUnavailable also if there are too many tickets; ShareExceeded if its owner has more of them than its share
   */
  put(keyId: string, text: string, lifeMs: number, owner: string): Promise<void>
  get(keyId: string): Promise<string | undefined>
  /**
   * Tickets in no particular order; one that is there throughout the pages is on at least one of them.
   * @param after  '' or the `next` of the previous page
   * @param limit  about how many tickets
   */
  list(after: string, limit: number): Promise<TicketPage>
  /**
   * Replaces a text without changing when it ends. It works also when there is no capacity for more.
   * @returns false if the ticket has another text meanwhile, or ended
   */
  replace(keyId: string, expected: string, text: string): Promise<boolean>
}

export interface TicketPage {
  readonly items: readonly { readonly keyId: string; readonly text: string }[]
  /** Absent on the last page. */
  readonly next?: string
}

/** Rates that all instances count together, by the generic cell rate algorithm: no window has an edge. */
export interface RateLimitStore {
  /**
   * Consumes `cost` of a rate.
   * @param name       what is limited
   * @param cost       0 only checks whether 1 is available
   * @param perMinute  the long-term rate; the burst has the same size
   * @returns 0 if there was enough; otherwise the milliseconds until there is, and nothing was consumed
   */
  consume(name: string, cost: number, perMinute: number): Promise<number>
}
