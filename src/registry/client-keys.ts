import { keysWithoutKeyId } from '../protocol/limits.js'
import type { Keyring } from './keyring.js'
import { createId, createSecret } from './secrets.js'

/** Live keys of one client. A handshake without a keyId tries all of them (PROTOCOL §4). */
export const maxLiveKeys = keysWithoutKeyId
/** Keys kept in a client's record, including ended ones. Above it the oldest ended keys are dropped. */
export const maxKeptKeys = 16

/** A client's key as shown to operators. Times are unix milliseconds. */
export interface ClientKey {
  readonly keyId: string
  readonly createdAt: number
  readonly expiresAt?: number
  readonly revokedAt?: number
}

export interface SealedKey extends ClientKey {
  readonly sealed: string
}

export function isLive({ revokedAt, expiresAt }: ClientKey, at: number): boolean {
  return revokedAt === undefined && (expiresAt === undefined || expiresAt > at)
}

/**
 * Appends a key and limits the life of the others: the newest live ones end at `previousExpiresAt` unless they end
 * sooner, the rest end at once.
 */
export function rotate(
  keys: readonly SealedKey[],
  added: SealedKey,
  at: number,
  previousExpiresAt: number
): readonly SealedKey[] {
  const live = keys.filter(key => isLive(key, at))
  const overlapping = new Set(live.slice(-(maxLiveKeys - 1)))
  const limited = keys.map(key => {
    if (!isLive(key, at)) return key
    const latest = overlapping.has(key) ? previousExpiresAt : at
    return { ...key, expiresAt: Math.min(key.expiresAt ?? latest, latest) }
  })
  const ended = limited.filter(key => !isLive(key, at))
  const dropped = new Set(ended.slice(0, -(maxKeptKeys - maxLiveKeys)))
  return [...limited.filter(key => !dropped.has(key)), added]
}

/** Creates the keys of clients, and seals and opens their secrets. */
export class KeySealer {
  readonly #keyring: Keyring

  constructor(keyring: Keyring) {
    this.#keyring = keyring
  }

  create(clientId: string, at: number): { readonly key: SealedKey; readonly secret: string } {
    const keyId = createId('key')
    const secret = createSecret('sk')
    return {
      key: { keyId, sealed: this.#keyring.seal('client key', secret, contextOf(clientId, keyId)), createdAt: at },
      secret
    }
  }

  /** @throws CannotUnseal */
  open(clientId: string, { keyId, sealed }: SealedKey): string {
    return this.#keyring.unseal('client key', sealed, contextOf(clientId, keyId))
  }

  isStale({ sealed }: SealedKey): boolean {
    return this.#keyring.isStale(sealed)
  }

  /** Seals the secret again, under the current master key. @throws CannotUnseal */
  reseal(clientId: string, key: SealedKey): SealedKey {
    return {
      ...key,
      sealed: this.#keyring.seal('client key', this.open(clientId, key), contextOf(clientId, key.keyId))
    }
  }
}

function contextOf(clientId: string, keyId: string): string {
  return `client:${clientId}:${keyId}`
}
