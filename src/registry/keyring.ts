import { createHash, createHmac } from 'node:crypto'
import { CannotUnseal, deriveKey, openText, sealText } from './aead.js'

/**
 * Encryption of what the store keeps, under keys derived from the master key: one key per purpose, so that the texts of
 * one purpose neither open as another's nor count toward its safe number (`aead.ts`). The associated data is the text's
 * context, so a sealed text that was copied to another record does not open there.
 *
 * A sealed text is `v2.<id of the master key>.<body>`. Texts of the form `v1` are from earlier versions, which had one
 * key for all purposes: they still open where durable data may hold them, and count as stale.
 */

/** What is sealed. The names are part of the key derivation. */
const sealPurposes = ['client key', 'ticket', 'session', 'record', 'pepper'] as const
export type SealPurpose = (typeof sealPurposes)[number]

/** Durable data of earlier versions. Their tickets and sessions have ended since. */
const purposesOfV1: readonly SealPurpose[] = ['client key', 'pepper']

export interface Keyring {
  /** @param context  names the place, e.g. `client:<clientId>:<keyId>`; `unseal` needs the same one */
  seal(purpose: SealPurpose, text: string, context: string): string
  /** @throws CannotUnseal */
  unseal(purpose: SealPurpose, sealed: string, context: string): string
  /** Whether the text was sealed under a key other than the current one, or in the form of an earlier version. */
  isStale(sealed: string): boolean
  /** Keyed hashes (HMAC-SHA-256) of what handshakes issue, challenges and session ids, one for each master key, the current one first. */
  hashHandshake(text: string): readonly Uint8Array[]
}

/** Keyed hash for values that are only compared, one key per purpose. Returns 64 hex characters. */
export type Hasher = (text: string) => string

interface MasterKey {
  readonly id: string
  readonly sealing: Readonly<Record<SealPurpose, Uint8Array>>
  readonly sealingV1: Uint8Array
  readonly handshake: Uint8Array
}

function expand(masterKey: Uint8Array): MasterKey {
  const digest = createHash('sha256').update('countersign key id').update(masterKey).digest('hex')
  const sealing = Object.fromEntries(
    sealPurposes.map(purpose => [purpose, deriveKey(masterKey, `v2 seal ${purpose}`)])
  ) as Record<SealPurpose, Uint8Array>
  return {
    id: digest.slice(0, 8),
    sealing,
    sealingV1: deriveKey(masterKey, 'seal'),
    handshake: deriveKey(masterKey, 'v3 handshake')
  }
}

function unseal(keys: readonly MasterKey[], purpose: SealPurpose, sealed: string, context: string): string {
  const [version, id, body = '', ...rest] = sealed.split('.')
  const found = keys.find(each => each.id === id)
  if (found === undefined || rest.length > 0) throw new CannotUnseal()
  if (version === 'v2') return openText(found.sealing[purpose], body, context)
  if (version === 'v1' && purposesOfV1.includes(purpose)) return openText(found.sealingV1, body, context)
  throw new CannotUnseal()
}

/** @param masterKeys  32 bytes each; the first one seals, every one unseals */
export function createKeyring(masterKeys: readonly Uint8Array[]): Keyring {
  const keys = masterKeys.map(expand)
  const [current] = keys
  if (current === undefined) throw new Error('createKeyring: masterKeys is empty; pass at least one key')
  const freshPrefix = `v2.${current.id}.`
  return {
    seal: (purpose, text, context) => freshPrefix + sealText(current.sealing[purpose], text, context),
    unseal: (purpose, sealed, context) => unseal(keys, purpose, sealed, context),
    isStale: sealed => !sealed.startsWith(freshPrefix),
    // A keyed hash has no limit of texts per key.
    hashHandshake: text => keys.map(({ handshake }) => createHmac('sha256', handshake).update(text).digest())
  }
}

/**
 * A keyed hash (HMAC-SHA-256) for one purpose: license keys, API tokens and audit entries are compared, never recovered.
 * @param pepper  32 random bytes of the store, see `pepper.ts`
 */
export function createHasher(pepper: Uint8Array, purpose: string): Hasher {
  const key = deriveKey(pepper, purpose)
  return text => createHmac('sha256', key).update(text).digest('hex')
}
