import { type Capabilities, capabilitiesOf } from '../auth/capabilities.js'
import type { Peer } from '../auth/peer.js'
import type { SessionKeys } from '../protocol/handshake.js'
import type { Attributes } from '../protocol/messages.js'
import type { Registry } from '../registry/index.js'
import { writesPlain } from '../registry/schema-in-use.js'

/** The fixed part of a session. The store keeps it sealed as a whole and bound to the session's id. */
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

/**
 * The form of versions before sealed records, for their instances that run beside this one: only the keys are sealed.
 */
interface PlainRecord extends Omit<StoredRecord, 'clientKey' | 'serverKey'> {
  /** Both keys, one after the other, in base64. */
  readonly sealed: string
}

/** @throws CannotUnseal */
function decodePlainRecord(registry: Registry, sessionId: string, text: string): StoredRecord {
  const { sealed, ...stored }: PlainRecord = JSON.parse(text)
  const keys = Buffer.from(registry.unsealSession(sessionId, sealed), 'base64')
  const half = keys.length / 2
  const clientKey = keys.subarray(0, half).toString('base64')
  return { ...stored, clientKey, serverKey: keys.subarray(half).toString('base64') }
}

function encodePlainRecord(registry: Registry, sessionId: string, stored: StoredRecord, keys: SessionKeys): string {
  const { clientKey: _, serverKey: __, ...rest } = stored
  const both = Buffer.concat([keys.clientKey, keys.serverKey]).toString('base64')
  return JSON.stringify({ ...rest, sealed: registry.sealSession(sessionId, both) } satisfies PlainRecord)
}

/** Whether a stored text has the form of versions before sealed records. */
export function isPlainSession(text: string): boolean {
  return text.startsWith('{')
}

export function encodeRecord(registry: Registry, { peer, keys, openedAt, expiresAt }: SessionRecord): string {
  const { sessionId, clientId, keyId, capabilities, attributes, remoteAddress, ticketOwner } = peer
  const stored: StoredRecord = {
    ...{ clientId, keyId, ...capabilities, attributes, remoteAddress, expiresAt, openedAt },
    ...(ticketOwner === undefined ? {} : { ticketOwner }),
    clientKey: Buffer.from(keys.clientKey).toString('base64'),
    serverKey: Buffer.from(keys.serverKey).toString('base64')
  }
  if (writesPlain(registry.schema)) return encodePlainRecord(registry, sessionId, stored, keys)
  return registry.sealSession(sessionId, JSON.stringify(stored))
}

/** @throws CannotUnseal when it was changed in the store, or sealed under another master key or by an earlier version */
export function decodeRecord(registry: Registry, sessionId: string, text: string): SessionRecord {
  const stored: StoredRecord =
    writesPlain(registry.schema) && isPlainSession(text)
      ? decodePlainRecord(registry, sessionId, text)
      : JSON.parse(registry.unsealSession(sessionId, text))
  const { clientId, keyId, attributes, remoteAddress, openedAt, expiresAt, ticketOwner } = stored
  return {
    peer: { sessionId, clientId, keyId, capabilities: capabilitiesOf(stored), attributes, remoteAddress, ticketOwner },
    keys: { clientKey: Buffer.from(stored.clientKey, 'base64'), serverKey: Buffer.from(stored.serverKey, 'base64') },
    openedAt,
    expiresAt
  }
}
