import type { Attributes } from '../protocol/messages.js'
import type { Capabilities } from './capabilities.js'

/** A key or ticket whose secret can prove a handshake. */
export interface Credential {
  readonly keyId: string
  readonly secret: string
  /** False for a decoy: it never authenticates, whatever its secret proves. */
  readonly usable: boolean
  /** Unix milliseconds. */
  readonly expiresAt?: number
}

/** Why a client id and a key or ticket cannot authenticate, for the log only. */
export type CredentialFault =
  | 'unknown client'
  | 'unknown key'
  | 'unknown or expired ticket'
  | 'suspended'
  | 'revoked'
  | 'expired'
  | 'unreadable record'

/** Credentials that a handshake may use for one client id. */
export interface Credentials {
  readonly capabilities: Capabilities
  /** Attributes on record. They override those that the peer sends. */
  readonly attributes: Attributes
  readonly credentials: readonly Credential[]
  /** See `Peer`. */
  readonly ticketOwner?: string
  /** Set when no credential is usable. Every handshake determines it, so that the time is the same. */
  readonly fault?: CredentialFault
}

/** Finds the secrets that handshakes and fresh challenges are checked with. */
export interface CredentialSource {
  /**
   * @param keyId  when absent, the client's live keys
   * @returns decoys for an unknown client or key, so that both cost the same time as a real one
   * @throws StoreUnavailable
   */
  credentials(clientId: string, keyId?: string): Promise<Credentials>
}

/**
 * Finds the credential of a live session.
 * @returns undefined when its key was revoked or has expired, or when its client was suspended or deleted
 * @throws StoreUnavailable
 */
export async function findUsableCredential(
  source: CredentialSource,
  { clientId, keyId }: { readonly clientId: string; readonly keyId: string }
): Promise<Credential | undefined> {
  const { credentials } = await source.credentials(clientId, keyId)
  return credentials.find(({ usable }) => usable)
}
