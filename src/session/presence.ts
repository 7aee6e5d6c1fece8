import type { Peer } from '../auth/peer.js'

/** An entry of a channel's presence ends after this time unless it is refreshed: a crash leaves entries behind. */
export const presenceLifeMs = 60_000

/** Where sessions report the channels that they join and leave. Reports are collected: none waits for the store. */
export interface PresenceTracker {
  /** Whether presence is kept for a channel. */
  covers(channel: string): boolean
  joined(peer: Peer, channel: string): void
  left(peer: Peer, channel: string): void
}
