import type { Attributes } from '../protocol/messages.js'
import type { Capabilities } from '../registry/capabilities.js'

/** Who is on the other side of a session, whatever its transport. */
export interface Peer {
  readonly sessionId: string
  readonly clientId: string
  readonly keyId: string
  readonly capabilities: Capabilities
  readonly attributes: Attributes
  readonly remoteAddress: string
}
