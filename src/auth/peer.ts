import type { Attributes } from '../protocol/messages.js'
import type { Capabilities } from './capabilities.js'

/** The authenticated party on the other side of a session, on any transport. */
export interface Peer {
  readonly sessionId: string
  readonly clientId: string
  readonly keyId: string
  readonly capabilities: Capabilities
  readonly attributes: Attributes
  readonly remoteAddress: string
  /**
   * Owner that counts the use of all tickets of one token, see store/owners.ts. Absent: a key, or a ticket of the admin
   * token.
   */
  readonly ticketOwner?: string | undefined
}
