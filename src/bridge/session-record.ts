import type { Capabilities } from '../auth/capabilities.js'
import type { Peer } from '../auth/peer.js'
import type { SessionKeys } from '../protocol/handshake.js'
import type { Attributes } from '../protocol/messages.js'
import type { Registry } from '../registry/index.js'

/** What is fixed when a session opens. The store keeps it as JSON, opaque to the store. */
export interface SessionRecord {
  readonly peer: Peer
  readonly keys: SessionKeys
  /** Unix milliseconds. */
  readonly openedAt: number
  /** Unix milliseconds. */
  readonly expiresAt: number
}

interface StoredRecord extends Capabilities {
  readonly clientId: string
  readonly keyId: string
  readonly attributes: Attributes
  readonly remoteAddress: string
  readonly openedAt: number
  readonly expiresAt: number
  /** The session's keys, sealed under the master key. */
  readonly sealed: string
}

export function encodeRecord(registry: Registry, { peer, keys, openedAt, expiresAt }: SessionRecord): string {
  const { sessionId, clientId, keyId, capabilities, attributes, remoteAddress } = peer
  const stored: StoredRecord = {
    ...{ clientId, keyId, ...capabilities, attributes, remoteAddress, expiresAt, openedAt },
    sealed: registry.sealSessionKeys(sessionId, keys)
  }
  return JSON.stringify(stored)
}

/** @throws CannotUnseal when the keys were sealed under another master key */
export function decodeRecord(registry: Registry, sessionId: string, text: string): SessionRecord {
  const stored: StoredRecord = JSON.parse(text)
  const { clientId, keyId, attributes, remoteAddress, openedAt, expiresAt, sealed, ...capabilities } = stored
  return {
    peer: { sessionId, clientId, keyId, capabilities, attributes, remoteAddress },
    keys: registry.openSessionKeys(sessionId, sealed),
    openedAt,
    expiresAt
  }
}
