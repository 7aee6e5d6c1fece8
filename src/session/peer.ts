import type { Attributes } from '../protocol/messages.js'
import type { Capabilities } from '../registry/clients.js'

/** Who is on the other side of a session, whatever its transport. */
export interface Peer {
  readonly sessionId: string
  readonly clientId: string
  readonly keyId: string
  readonly capabilities: Capabilities
  readonly attributes: Attributes
  readonly remoteAddress: string
}

/** Whether a name is matched by one of the patterns: literal characters, then at most one final `*` (PROTOCOL §3). */
export function isAllowed(patterns: readonly string[], name: string): boolean {
  return patterns.some(pattern => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern))
}
