import type { Authenticated } from '../auth/handshake.js'
import type { SessionDependencies } from '../session/dependencies.js'
import type { LiveSession } from '../session/session-source.js'
import type { SessionEntry } from '../store/store.js'
import type { Positions } from './positions.js'
import { encodeRecord } from './session-record.js'

export interface NewSession {
  readonly session: Pick<LiveSession, 'end'>
  readonly authenticated: Authenticated
  /** Unix milliseconds. */
  readonly openedAt: number
  readonly entry: SessionEntry
  /** Channels that it joins from the start. */
  readonly ownChannels: readonly string[]
}

/**
 * Registers a new session in the store, for every instance to load. If the store fails halfway, it ends the session: no
 * client knows it, and its entry would take one of the places of its client.
 * @returns positions in its own channels; undefined when its client has too many sessions
 * @throws StoreUnavailable
 */
export async function registerSession(
  dependencies: SessionDependencies,
  created: NewSession
): Promise<Positions | undefined> {
  const { store, observer, settings } = dependencies
  const { entry, session } = created
  if (!(await store.sessions.open(entry, settings.maxSessionsPerClient))) return undefined
  observer.opened(entry.transport)
  try {
    return await storeSession(dependencies, created)
  } catch (error) {
    session.end('UNAVAILABLE')
    throw error
  }
}

/** @throws StoreUnavailable */
async function storeSession(
  { store, registry, channels, settings, steadyNow }: SessionDependencies,
  { authenticated: { peer, keys, expiresAt }, openedAt, ownChannels }: NewSession
): Promise<Positions> {
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
