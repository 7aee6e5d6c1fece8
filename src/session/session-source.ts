import type { Capabilities } from '../auth/capabilities.js'
import type { Peer } from '../auth/peer.js'
import type { EndingCode } from '../protocol/codes.js'
import type { PresenceEntry } from '../store/presence.js'
import type { SessionCounts, SessionEntry } from '../store/store.js'
import type { SessionCounter } from './session-counts.js'

/** A session that this instance serves, on any transport. */
export interface LiveSession {
  readonly peer: Peer
  /** Unix milliseconds. */
  readonly expiresAt: number
  /** Moves the session's end forward. @param at  Unix milliseconds, not later than `expiresAt` */
  expireAt(at: number): void
  /**
   * Replaces the session's capabilities by narrower ones. Each joined channel that they no longer cover is left, and the
   * client gets `unsubscribed` with PERMISSION_DENIED for it (PROTOCOL §10). The session's own channels stay.
   * @throws StoreUnavailable
   */
  narrowCapabilities(capabilities: Capabilities): void | Promise<void>
  /** Sends a signed error with this code, then ends the session. The first ending counts. */
  end(code: EndingCode): void
}

/** The time of a tick, the same for all sessions. */
export interface TickTimes {
  /** Unix milliseconds of the wall clock. */
  readonly now: number
  /** Unix milliseconds of the steady clock. */
  readonly steadyNow: number
  /** See `SessionDependencies`. */
  readonly isGracePeriod: boolean
}

/** The heartbeat of an active session, for the store. */
export interface Heartbeat {
  readonly sessionId: string
  /** The session's next deadline, Unix milliseconds of the steady clock. */
  readonly deadline: number
  /** Traffic since the last heartbeat; undefined: none. */
  readonly counts?: SessionCounts | undefined
  /** Receives the counts back if they could not be written. */
  readonly counter?: SessionCounter
}

/**
 * The sessions of one transport, for the parts that treat all sessions alike: instance heartbeat, reaper, revocation
 * watcher, presence.
 */
export interface SessionSource {
  readonly transport: SessionEntry['transport']
  /** Sessions of a client that this instance serves. */
  ofClient(clientId: string): Iterable<LiveSession>
  /** Clients that have a session here. */
  clientIds(): Iterable<string>
  /**
   * Ends a session that an operator revoked.
   * @returns false when this instance does not serve the session
   */
  revoke(sessionId: string): boolean
  /** Sessions that were active since then, with their next deadlines. @param since  Unix milliseconds */
  heartbeatsSince(since: number): Iterable<Heartbeat>
  /**
   * Presence entries of these sessions. @param since  Unix milliseconds: sessions that only the store holds count if
   * active since
   */
  presenceSince(since: number): Iterable<PresenceEntry>
  /**
   * Ends a session whose deadline in the store has passed, unless this instance serves it.
   * @returns whether this instance serves it: the store's deadline is then outdated, and the session goes on
   * @throws StoreUnavailable
   */
  expire(entry: SessionEntry): Promise<boolean>
  /**
   * Registers sessions again after a store outage: the store may have lost them, or another instance may have reaped
   * them.
   * @throws StoreUnavailable
   */
  reregister(): Promise<void>
  /** Does periodic work. Call it about once a second, never while the previous call still runs. */
  tick(times: TickTimes): void | Promise<void>
}
