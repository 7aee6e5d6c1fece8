import type { Peer } from '../auth/peer.js'
import type { SessionEntry } from '../store/store.js'

interface EntrySession {
  readonly peer: Peer
  /** Unix milliseconds. */
  readonly openedAt: number
  /** Unix milliseconds. */
  readonly expiresAt: number
}

/** A session as stored. */
export function sessionEntryOf(
  { peer, openedAt, expiresAt }: EntrySession,
  place: Pick<SessionEntry, 'instanceId' | 'transport' | 'deadline'>
): SessionEntry {
  const { sessionId, clientId, keyId, remoteAddress, attributes } = peer
  return { sessionId, clientId, keyId, remoteAddress, attributes, openedAt, expiresAt, ...place }
}
