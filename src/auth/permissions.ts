import { isAllowed } from './capabilities.js'
import type { Peer } from './peer.js'

/** Who may join and publish to which channel (PROTOCOL §10.1). */

const reservedPrefixes = ['client:', 'session:'] as const

function reservedPrefixOf(channel: string): string | undefined {
  return reservedPrefixes.find(prefix => channel.startsWith(prefix))
}

/** The two channels that a session joins when it opens. */
export function ownChannels({ clientId, sessionId }: Peer): readonly [string, string] {
  return [`client:${clientId}`, `session:${sessionId}`]
}

export function maySubscribe(peer: Peer, channel: string): boolean {
  if (reservedPrefixOf(channel) !== undefined) return ownChannels(peer).includes(channel)
  return isAllowed(peer.capabilities.subscribe, channel)
}

/** For a reserved channel, only patterns that spell its prefix count. */
function isSpelled(patterns: readonly string[], channel: string): boolean {
  const prefix = reservedPrefixOf(channel)
  const counting = prefix === undefined ? patterns : patterns.filter(pattern => pattern.startsWith(prefix))
  return isAllowed(counting, channel)
}

/** @param patterns  of the capability `publish` */
export function mayPublish(patterns: readonly string[], channel: string): boolean {
  return isSpelled(patterns, channel)
}

/** @param patterns  of COUNTERSIGN_PRESENCE: `*` does not include the two channels that every session has */
export function hasPresence(patterns: readonly string[], channel: string): boolean {
  return isSpelled(patterns, channel)
}
