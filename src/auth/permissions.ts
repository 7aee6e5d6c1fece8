import type { Peer } from '../session/peer.js'
import { isAllowed } from './patterns.js'

/** Who may join and publish where (PROTOCOL §10.1). */

const reservedPrefixes = ['client:', 'session:'] as const

function reservedPrefixOf(channel: string): string | undefined {
  return reservedPrefixes.find(prefix => channel.startsWith(prefix))
}

/** The two channels that a session has joined from its start. */
export function ownChannels({ clientId, sessionId }: Peer): readonly [string, string] {
  return [`client:${clientId}`, `session:${sessionId}`]
}

export function maySubscribe(peer: Peer, channel: string): boolean {
  if (reservedPrefixOf(channel) !== undefined) return ownChannels(peer).includes(channel)
  return isAllowed(peer.capabilities.subscribe, channel)
}

/** In a reserved channel only those patterns count that spell its prefix. */
function isSpelled(patterns: readonly string[], channel: string): boolean {
  const prefix = reservedPrefixOf(channel)
  const counting = prefix === undefined ? patterns : patterns.filter(pattern => pattern.startsWith(prefix))
  return isAllowed(counting, channel)
}

/** @param patterns  of the capability `publish` */
export function mayPublish(patterns: readonly string[], channel: string): boolean {
  return isSpelled(patterns, channel)
}

/** @param patterns  of COUNTERSIGN_PRESENCE: `*` does not mean the two channels that every session has */
export function hasPresence(patterns: readonly string[], channel: string): boolean {
  return isSpelled(patterns, channel)
}
