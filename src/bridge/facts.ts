import type { Peer } from '../auth/peer.js'
import type { SessionKeys } from '../protocol/handshake.js'

/** What a session is when this instance gets to know it. */
export interface BridgeSessionParams {
  readonly peer: Peer
  readonly keys: SessionKeys
  readonly openedAt: number
  readonly expiresAt: number
  /** When it last brought something new here; 0: not yet. */
  readonly lastSeenAt: number
}
