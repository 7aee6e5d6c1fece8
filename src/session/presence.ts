import type { Peer } from '../auth/peer.js'
import type { Outgoing } from './outbox.js'

/** The longest life of an entry of a channel's presence, in milliseconds: a crash leaves entries behind. */
const longestLifeMs = 60_000
/** An entry outlives the heartbeat timeout by this, in milliseconds. */
const graceMs = 5000

/**
 * How long an entry of a channel's presence lives unless it is refreshed, in milliseconds. Others learn within the timeout and
 * 15 s that the sessions of an instance that died have left (PROTOCOL §10.7).
 */
export function presenceLifeMs(heartbeatTimeoutSeconds: number): number {
  return Math.min(longestLifeMs, heartbeatTimeoutSeconds * 1000 + graceMs)
}

/** Where sessions report the channels that they join and leave. Reports are collected: none waits for the store. */
export interface PresenceTracker {
  /** Whether presence is kept for a channel. */
  covers(channel: string): boolean
  joined(peer: Peer, channel: string): void
  left(peer: Peer, channel: string): void
  /** A session that this instance serves wants the changes of a channel: the tracker looks for entries that have ended. */
  watched(channel: string): void
}

/** A session that wants the changes of a channel. */
export interface PresenceWatcher {
  readonly sessionId: string
  presenceChanged(message: Extract<Outgoing, { type: 'presenceChanged' }>): void
}

/** Sends the changes of channels to sessions that receive them as they come (a socket). */
export interface PresenceNotifier {
  /** Collects the changes of a channel for a session, from now on. @throws StoreUnavailable, ProtocolError UNAVAILABLE */
  watch(channel: string, watcher: PresenceWatcher): Promise<void>
  /** Sends them, from now on. */
  release(channel: string, watcher: PresenceWatcher): void
  unwatch(channel: string, watcher: PresenceWatcher): void
  /** Sends what waited for its interval. To be called about once a second. */
  tick(): void
}
