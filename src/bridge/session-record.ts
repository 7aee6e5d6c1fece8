import type { Capabilities } from '../auth/capabilities.js'
import type { Peer } from '../auth/peer.js'
import type { SessionKeys } from '../protocol/handshake.js'
import type { Attributes } from '../protocol/messages.js'
import type { Registry } from '../registry/index.js'

/** What is fixed when a session opens. The store keeps it sealed as a whole and bound to the session's id. */
export interface SessionRecord {
  readonly peer: Peer
  readonly keys: SessionKeys
  /** Unix milliseconds. */
  readonly openedAt: number
  /** Unix milliseconds. */
  readonly expiresAt: number
}

/** As JSON, before it is sealed. */
interface StoredRecord extends Capabilities {
  readonly clientId: string
  readonly keyId: string
  readonly attributes: Attributes
  readonly remoteAddress: string
  /** See `Peer`. Earlier versions stored none. */
  readonly ticketOwner?: string
  readonly openedAt: number
  readonly expiresAt: number
  /** Base64. */
  readonly clientKey: string
  /** Base64. */
  readonly serverKey: string
}

export function encodeRecord(registry: Registry, { peer, keys, openedAt, expiresAt }: SessionRecord): string {
  const { sessionId, clientId, keyId, capabilities, attributes, remoteAddress, ticketOwner } = peer
  const stored: StoredRecord = {
    ...{ clientId, keyId, ...capabilities, attributes, remoteAddress, expiresAt, openedAt },
    ...(ticketOwner === undefined ? {} : { ticketOwner }),
    clientKey: Buffer.from(keys.clientKey).toString('base64'),
    serverKey: Buffer.from(keys.serverKey).toString('base64')
  }
  return registry.sealSession(sessionId, JSON.stringify(stored))
}

/** @throws CannotUnseal when it was changed in the store, or sealed under another master key or by an earlier version */
export function decodeRecord(registry: Registry, sessionId: string, text: string): SessionRecord {
  const stored: StoredRecord = JSON.parse(registry.unsealSession(sessionId, text))
  const { clientId, keyId, attributes, remoteAddress, openedAt, expiresAt, subscribe, publish, services } = stored
  const { ticketOwner } = stored
  return {
    peer: {
      ...{ sessionId, clientId, keyId, attributes, remoteAddress },
      ...(ticketOwner === undefined ? {} : { ticketOwner }),
      capabilities: { subscribe, publish, services }
    },
    keys: { clientKey: Buffer.from(stored.clientKey, 'base64'), serverKey: Buffer.from(stored.serverKey, 'base64') },
    openedAt,
    expiresAt
  }
}
