import type { SessionKeys } from '../protocol/handshake.js'
import type { Keyring } from './keyring.js'

/** Seals a session's keys for the store, bound to their session (PROTOCOL §12). */
export function sealSessionKeys(keyring: Keyring, sessionId: string, { clientKey, serverKey }: SessionKeys): string {
  return keyring.seal(Buffer.concat([clientKey, serverKey]).toString('base64'), contextOf(sessionId))
}

/** @throws CannotUnseal */
export function openSessionKeys(keyring: Keyring, sessionId: string, sealed: string): SessionKeys {
  const both = Buffer.from(keyring.unseal(sealed, contextOf(sessionId)), 'base64')
  return { clientKey: both.subarray(0, both.length / 2), serverKey: both.subarray(both.length / 2) }
}

function contextOf(sessionId: string): string {
  return `session:${sessionId}`
}
