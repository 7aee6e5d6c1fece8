import type { Peer } from '../auth/peer.js'

/** Where sessions report the channels that they join and leave. Reports are collected: none waits for the store. */
export interface PresenceTracker {
  /** Whether presence is kept for a channel. */
  covers(channel: string): boolean
  joined(peer: Peer, channel: string): void
  left(peer: Peer, channel: string): void
}
