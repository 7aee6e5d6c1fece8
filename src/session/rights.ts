import { isAllowed } from '../registry/patterns.js'
import type { Peer } from './peer.js'

/** Who may join and publish where (PROTOCOL §10.1). */

const reservedPrefixes = ['client:', 'session:'] as const

function reservedPrefixOf(channel: string): string | undefined {
  return reservedPrefixes.find(prefix => channel.startsWith(prefix))
}

/** The two channels that a session has joined from its start. */
export function ownChannels({ clientId, sessionId }: Peer): readonly [string, string] {
  return [`client:${clientId}`, `session:${sessionId}`]
}

export function mayJoin(peer: Peer, channel: string): boolean {
  if (reservedPrefixOf(channel) !== undefined) return ownChannels(peer).includes(channel)
  return isAllowed(peer.capabilities.subscribe, channel)
}

/** @param patterns  of the capability `publish`; in a reserved channel only those count that spell its prefix */
export function mayPublish(patterns: readonly string[], channel: string): boolean {
  const prefix = reservedPrefixOf(channel)
  const counting = prefix === undefined ? patterns : patterns.filter(pattern => pattern.startsWith(prefix))
  return isAllowed(counting, channel)
}
