import type { Peer } from '../auth/peer.js'
import type { Outgoing } from './outbox.js'

/** Longest life of a presence entry, in milliseconds: a crash leaves entries behind. */
const longestLifeMs = 60_000
/** Life of a presence entry in addition to the heartbeat timeout, in milliseconds. */
const graceMs = 5000

/**
 * Life of a presence entry without a refresh, in milliseconds. The sessions of a dead instance leave within the timeout
 * plus 15 s (PROTOCOL §10.7).
 */
export function presenceLifeMs(heartbeatTimeoutSeconds: number): number {
  return Math.min(longestLifeMs, heartbeatTimeoutSeconds * 1000 + graceMs)
}

/** Receives reports of the channels that sessions join and leave. Reports are batched: none waits for the store. */
export interface PresenceTracker {
  /** Whether presence is kept for a channel. */
  covers(channel: string): boolean
  joined(peer: Peer, channel: string): void
  left(peer: Peer, channel: string): void
  /** A session of this instance watches the changes of a channel: the tracker checks it for ended entries. */
  watched(channel: string): void
}

/** A session that watches the changes of a channel. */
export interface PresenceWatcher {
  readonly sessionId: string
  presenceChanged(message: Extract<Outgoing, { type: 'presenceChanged' }>): void
}

/** Sends the changes of channels to sessions that receive them as they occur (a socket). */
export interface PresenceNotifier {
  /** Starts collecting the changes of a channel for a session. @throws StoreUnavailable, ProtocolError UNAVAILABLE */
  watch(channel: string, watcher: PresenceWatcher): Promise<void>
  /** Starts sending them. */
  release(channel: string, watcher: PresenceWatcher): void
  unwatch(channel: string, watcher: PresenceWatcher): void
  /** Sends changes whose interval is over. Call it about once a second. */
  tick(): void
}
