import type { BridgeStore } from './bridge.js'

/**
 * What the gateway keeps, as verbs. There are two stores: `embedded/` (one process, no other service) and `redis/`
 * (any number of instances). Both pass the contract suite in `test/store/contract.ts`; nothing here speaks of Redis.
 *
 * Lasting things (clients, licenses, audit log) are records; passing things (challenges, sessions, seats) are verbs of
 * their own, each atomic. Every call may reject with {@link StoreUnavailable}; no call runs twice, none hangs.
 */

import type { ChangeEvent, SequencedChange } from './change-event.js'
import type { ChannelStore } from './channels.js'
import type { PresenceStore } from './presence.js'

export { DataDirInUse, type StoreOutcome, StoreUnavailable } from './errors.js'

export interface Store {
  readonly kind: 'embedded' | 'redis'
  readonly durable: DurableStore
  readonly challenges: ChallengeStore
  readonly sessions: SessionStore
  readonly licenseSlots: LicenseSlotStore
  readonly tickets: TicketStore
  readonly rateLimits: RateLimitStore
  readonly channels: ChannelStore
  readonly presence: PresenceStore
  readonly bridge: BridgeStore
  /** Resolves when the store answers right now; rejects with StoreUnavailable after at most a second. */
  ping(): Promise<void>
  close(): Promise<void>
}

// ── Records: what lasts ──────────────────────────────────────────────────────────────────────────────────────────────

/** `kind:id`. The kind is a fixed word, the id has no control characters. */
export type RecordKey = `${string}:${string}`

export interface StoredRecord {
  readonly key: RecordKey
  /** The number of the audit entry that wrote it: grows with each change, and no two states ever share one. */
  readonly version: number
  /** The record's JSON text. */
  readonly text: string
}

/** One record's part in a change. `expect` is the version that was read, 0 where the record must not exist. */
export interface RecordWrite {
  readonly key: RecordKey
  readonly expect: number
  /** The new text; absent: the record is removed. */
  readonly text?: string
}

/**
 * Change events that are kept, the newest. Instances read them every second; one that falls this far behind was stopped
 * for so long that its sessions have timed out.
 */
export const maxChangeEvents = 100_000

/** Where the audit log stands: the number and hash of its newest entry, 0 and '' before the first. */
export interface AuditHead {
  readonly seq: number
  readonly hash: string
}

/**
 * A change: all of it happens, or nothing. `audit` is called with the log's head as it is at that moment, possibly
 * more than once, and returns the next entry; it is written in the same transaction.
 */
export interface Change {
  readonly writes: readonly RecordWrite[]
  readonly audit: (head: AuditHead) => { readonly hash: string; readonly text: string }
  /** Announced to every instance after the change. */
  readonly event?: ChangeEvent
}

export interface DurableStore {
  /** The record, or nothing. */
  get(key: RecordKey): Promise<StoredRecord | undefined>
  /** Records of one kind in the order of their ids, after `after` (an id), at most `limit`. */
  list(kind: string, after: string, limit: number): Promise<readonly StoredRecord[]>
  /**
   * Commits a change once every write finds the version that it expects. Resolves when it would outlive a crash.
   * @returns the audit entry's number; `conflict` where a record has another version: nothing was changed
   */
  commit(change: Change): Promise<number | 'conflict'>
  /** Audit entries after number `after`, oldest first, at most `limit`. */
  auditAfter(after: number, limit: number): Promise<readonly { readonly seq: number; readonly text: string }[]>
  auditHead(): Promise<AuditHead>
  /**
   * Events after audit number `after`, oldest first, at most `limit`. Of equal events only the newest is kept. A
   * listener whose notification was lost finds the event here.
   */
  changesAfter(after: number, limit: number): Promise<readonly SequencedChange[]>
  /** Calls `listener` soon after a change with an event, by any instance. Calls may be lost. @returns stops listening */
  onChange(listener: () => void): () => void
}

// ── Passing things ───────────────────────────────────────────────────────────────────────────────────────────────────

export interface ChallengeStore {
  /**
   * Keeps a challenge until it is taken or `lifeMs` have passed.
   * @param binding  where it may be answered (a socket's id, or the bridge)
   */
  put(token: string, binding: string, lifeMs: number): Promise<void>
  /** Takes a challenge: of any number of takers exactly one gets its binding, the others nothing. */
  consume(token: string): Promise<string | undefined>
}

/** A live session as every instance can see it. */
export interface SessionEntry {
  readonly sessionId: string
  readonly clientId: string
  readonly keyId: string
  readonly instanceId: string
  readonly transport: 'ws' | 'bridge'
  readonly openedAt: number
  readonly expiresAt: number
  /** When it is dead unless another sign of life comes, unix milliseconds. */
  readonly deadline: number
  readonly remoteAddress: string
  readonly attributes: Readonly<Record<string, string>>
}

export interface SessionStore {
  /** @returns false where the client has `maxPerClient` live sessions already: nothing was kept */
  open(entry: SessionEntry, maxPerClient: number): Promise<boolean>
  /** Moves deadlines forward, many sessions in one call. Unknown sessions are passed over. */
  touch(deadlines: readonly { readonly sessionId: string; readonly deadline: number }[]): Promise<void>
  end(sessionId: string): Promise<boolean>
  get(sessionId: string): Promise<SessionEntry | undefined>
  /** In the order of session ids, after `after`, at most `limit`; of one client where `clientId` is given. */
  list(after: string, limit: number, clientId?: string): Promise<readonly SessionEntry[]>
  count(): Promise<number>
  /**
   * Hands out sessions whose deadline has passed at `now`, at most `limit`: each to exactly one caller, who ends it. For
   * one that does not, say because it died, the session is handed out again after `leaseMs`.
   */
  reap(now: number, limit: number, leaseMs: number): Promise<readonly SessionEntry[]>
}

/**
 * Who sits on a license: the live sessions whose last validate of it was VALID. Seats end with their session; whoever
 * ends a session, or reaps a dead one, releases them. `endsAt` is the backstop.
 */
export interface LicenseSlotStore {
  /**
   * Takes a seat, or keeps the one that the session has.
   * @param max    most sessions that may sit there
   * @param endsAt when the seat ends by itself, unix milliseconds: the session's own end
   * @returns false where `max` other sessions sit there at `now`
   */
  acquire(licenseId: string, sessionId: string, max: number, endsAt: number, now: number): Promise<boolean>
  release(licenseId: string, sessionId: string): Promise<void>
  releaseAll(sessionId: string): Promise<void>
}

/** Short-lived credentials (PROTOCOL §3), each kept as a text until it ends. */
export interface TicketStore {
  /** @throws StoreUnavailable also where there are too many */
  put(keyId: string, text: string, lifeMs: number): Promise<void>
  get(keyId: string): Promise<string | undefined>
}

/** Rates that all instances count together, by the generic cell rate algorithm: no window has an edge. */
export interface RateLimitStore {
  /**
   * Takes `cost` of what `name` may do: `perMinute` in the long run and as many at once.
   * @param cost  0 only looks
   * @returns 0 when there was enough, else the milliseconds until there is; then nothing was taken
   */
  consume(name: string, cost: number, perMinute: number): Promise<number>
}
