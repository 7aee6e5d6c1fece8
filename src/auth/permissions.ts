import { matchesChannel, reservedPrefixOf } from './patterns.js'
import type { Peer } from './peer.js'

/** Permissions to join and to publish (PROTOCOL §10.1). */

/** The two channels that a session joins when it opens. */
export function ownChannels({ clientId, sessionId }: Peer): readonly [string, string] {
  return [`client:${clientId}`, `session:${sessionId}`]
}

export function maySubscribe(peer: Peer, channel: string): boolean {
  if (reservedPrefixOf(channel) !== undefined) return ownChannels(peer).includes(channel)
  return matchesChannel(peer.capabilities.subscribe, channel)
}

/** @param patterns  of the capability `publish` */
export function mayPublish(patterns: readonly string[], channel: string): boolean {
  return matchesChannel(patterns, channel)
}

/**
 * Whether one of the patterns of the capability `call` can match a method of a client (PROTOCOL §15).
 * @param patterns  `<clientId>/` and the beginning of a method, or `*`
 */
export function mayListSessions(patterns: readonly string[], clientId: string): boolean {
  return patterns.some(pattern => pattern === '*' || pattern.startsWith(`${clientId}/`))
}

/** @param patterns  of the capability `presence` */
export function maySeePresence(patterns: readonly string[], channel: string): boolean {
  return matchesChannel(patterns, channel)
}

/** @param patterns  of COUNTERSIGN_PRESENCE: `*` does not include the two channels that every session has */
export function hasPresence(patterns: readonly string[], channel: string): boolean {
  return matchesChannel(patterns, channel)
}
