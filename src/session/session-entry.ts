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

/** The clocks of {@link lastSeenOf}, in Unix milliseconds, and the heartbeat timeout of each transport in milliseconds. */
export interface LastSeenOptions {
  readonly timeoutMs: Readonly<Record<SessionEntry['transport'], number>>
  readonly now: () => number
  readonly steadyNow: () => number
}

/** When the peer of a session was last active, as the store knows it, in Unix milliseconds of the wall clock. */
export function lastSeenOf(
  { openedAt, deadline, transport }: Pick<SessionEntry, 'openedAt' | 'deadline' | 'transport'>,
  { timeoutMs, now, steadyNow }: LastSeenOptions
): number {
  // Deadlines are times of the steady clock, which may be some milliseconds behind the wall clock.
  const silentMs = Math.max(0, steadyNow() - (deadline - timeoutMs[transport]))
  return Math.max(openedAt, Math.round(now() - silentMs))
}
