import type { Authenticated } from '../auth/handshake.js'
import type { SessionDependencies } from '../session/dependencies.js'
import type { SessionEntry } from '../store/store.js'
import type { Positions } from './positions.js'
import { encodeRecord } from './session-record.js'

export interface NewSession {
  readonly authenticated: Authenticated
  /** Unix milliseconds. */
  readonly openedAt: number
  readonly entry: SessionEntry
  /** Channels that it joins from the start. */
  readonly ownChannels: readonly string[]
}

/**
 * Registers a new session in the store, for every instance to load.
 * @returns positions in its own channels; undefined when its client has too many sessions
 * @throws StoreUnavailable
 */
export async function registerSession(
  { store, registry, channels, settings, steadyNow }: SessionDependencies,
  { authenticated, openedAt, entry, ownChannels }: NewSession
): Promise<Positions | undefined> {
  const { peer, keys, expiresAt } = authenticated
  if (!(await store.sessions.open(entry, settings.maxSessionsPerClient))) return undefined
  const tops = await channels.tops(ownChannels)
  const positions = new Map(ownChannels.flatMap((channel, i) => (tops[i] === undefined ? [] : [[channel, tops[i]]])))
  await store.bridge.open({
    sessionId: peer.sessionId,
    info: encodeRecord(registry, { peer, keys, openedAt, expiresAt }),
    positions,
    challengeAt: steadyNow() + settings.freshChallengeMs
  })
  return positions
}
