import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { CannotUnseal, deriveKey, openText, sealText } from './aead.js'
import type { Pepper } from './pepper.js'
import { currentForm, type SchemaInUse, writesPlain } from './schema-in-use.js'

/**
 * Encryption of stored data under keys derived from the master key. Each purpose has one key, so that its texts neither
 * open as another's nor count toward another's safe number (`aead.ts`). The associated data is the text's context, so a
 * sealed text that was copied to another record does not open there.
 *
 * A sealed text is `v2.<id of the master key>.<body>`. Texts of the form `v1` are from earlier versions, which had one
 * key for all purposes: they still open where durable data may hold them, and count as stale.
 */

/** Purposes of sealing. The names are part of the key derivation. */
const sealPurposes = ['client key', 'ticket', 'session', 'record', 'pepper', 'identity'] as const
export type SealPurpose = (typeof sealPurposes)[number]

/** Durable data of earlier versions. */
const lastingOfV1: readonly SealPurpose[] = ['client key', 'pepper']
/** Other data sealed by earlier versions; it can be opened while their instances may run. */
const ephemeralOfV1: readonly SealPurpose[] = ['ticket', 'session']

export interface Keyring {
  /** @param context  identifies the place, e.g. `client:<clientId>:<keyId>`; `unseal` needs the same one */
  seal(purpose: SealPurpose, text: string, context: string): string
  /** The same in the current form, regardless of the schema in use. */
  sealLatest(purpose: SealPurpose, text: string, context: string): string
  /** @throws CannotUnseal */
  unseal(purpose: SealPurpose, sealed: string, context: string): string
  /** Whether the text was sealed under a key other than the current one, or in the form of an earlier version. */
  isStale(sealed: string): boolean
  /**
   * Keyed hashes (HMAC-SHA-256) for handshakes (challenges and session ids), one for each master key, the current one
   * first.
   */
  hashHandshake(text: string): readonly Uint8Array[]
  /** A keyed hash of the counts and the digest of a backup, in base64url. */
  signBackup(text: string): string
  /** Whether `signature` was made by {@link signBackup} under any of the master keys. */
  hasSignedBackup(text: string, signature: string): boolean
}

/** Keyed hash for values that are only compared, one key per purpose. Returns 64 hex characters. */
export type Hasher = (text: string) => string

interface MasterKey {
  readonly id: string
  readonly sealing: Readonly<Record<SealPurpose, Uint8Array>>
  readonly sealingV1: Uint8Array
  readonly handshake: Uint8Array
  readonly backup: Uint8Array
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
    handshake: deriveKey(masterKey, 'v3 handshake'),
    backup: deriveKey(masterKey, 'v2 backup')
  }
}

function isOfV1(purpose: SealPurpose, schema: SchemaInUse): boolean {
  return lastingOfV1.includes(purpose) || (writesPlain(schema) && ephemeralOfV1.includes(purpose))
}

interface Ring {
  readonly keys: readonly MasterKey[]
  readonly schema: SchemaInUse
}

function unseal({ keys, schema }: Ring, purpose: SealPurpose, sealed: string, context: string): string {
  const [version, id, body = '', ...rest] = sealed.split('.')
  const found = keys.find(each => each.id === id)
  if (found === undefined || rest.length > 0) throw new CannotUnseal()
  if (version === 'v2') return openText(found.sealing[purpose], body, context)
  if (version === 'v1' && isOfV1(purpose, schema)) return openText(found.sealingV1, body, context)
  throw new CannotUnseal()
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** Whether any of the master keys signed a backup. */
function isSignedByAny(keys: readonly MasterKey[], text: string, signature: string): boolean {
  const given = Buffer.from(signature, 'base64url')
  return keys.some(({ backup }) => {
    const expected = hmac(backup, text)
    return given.length === expected.length && timingSafeEqual(given, expected)
  })
}

/**
 * @param masterKeys  32 bytes each; the first one seals, all unseal
 * @param schema      the form in which texts are sealed. Default: the current one
 */
export function createKeyring(masterKeys: readonly Uint8Array[], schema: SchemaInUse = currentForm()): Keyring {
  const keys = masterKeys.map(expand)
  const [current] = keys
  if (current === undefined) throw new Error('createKeyring: masterKeys is empty; pass at least one key')
  const freshPrefix = `v2.${current.id}.`
  const v1Prefix = `v1.${current.id}.`
  return {
    sealLatest: (purpose, text, context) => freshPrefix + sealText(current.sealing[purpose], text, context),
    seal(purpose, text, context) {
      if (writesPlain(schema) && purpose !== 'pepper' && isOfV1(purpose, schema)) {
        return v1Prefix + sealText(current.sealingV1, text, context)
      }
      return freshPrefix + sealText(current.sealing[purpose], text, context)
    },
    unseal: (purpose, sealed, context) => unseal({ keys, schema }, purpose, sealed, context),
    isStale: sealed => !sealed.startsWith(freshPrefix) && !(writesPlain(schema) && sealed.startsWith(v1Prefix)),
    // A keyed hash has no limit of texts per key.
    hashHandshake: text => keys.map(({ handshake }) => hmac(handshake, text)),
    signBackup: text => hmac(current.backup, text).toString('base64url'),
    hasSignedBackup: (text, signature) => isSignedByAny(keys, text, signature)
  }
}

/**
 * A keyed hash (HMAC-SHA-256) for one purpose: license keys, API tokens and audit entries are compared, never recovered.
 */
export function createHasher(pepper: Pepper, purpose: string): Hasher {
  const key = derivedFrom(pepper, purpose)
  return text => createHmac('sha256', key()).update(text).digest('hex')
}

/** A key for one purpose that follows from the pepper. @returns the key for the pepper's current bytes */
export function derivedFrom(pepper: Pepper, purpose: string): () => Uint8Array {
  let { bytes } = pepper
  let key = deriveKey(bytes, purpose)
  return () => {
    if (pepper.bytes !== bytes) {
      bytes = pepper.bytes
      key = deriveKey(bytes, purpose)
    }
    return key
  }
}
