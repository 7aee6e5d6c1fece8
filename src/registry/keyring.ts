import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto'

/**
 * Encryption of secrets at rest. The gateway needs HMAC secrets in the clear to verify frames, so it seals them with
 * AES-256-GCM under a key derived from the master key. Each write uses a random 96-bit nonce (NIST SP 800-38D §8.2.2).
 * The associated data is the secret's context, so a ciphertext copied to another record does not open there.
 */

const nonceBytes = 12
const tagBytes = 16

/** The sealed text was made under another master key, changed, or copied from another record. */
export class CannotUnseal extends Error {
  override readonly name = 'CannotUnseal'

  constructor() {
    super('a sealed value does not open under any master key')
  }
}

export interface Keyring {
  /** @param context  names the secret, e.g. `client:<clientId>:<keyId>`; `unseal` needs the same one */
  seal(text: string, context: string): string
  /** @throws CannotUnseal */
  unseal(sealed: string, context: string): string
  /** Whether the text was sealed under a key other than the current one. */
  isStale(sealed: string): boolean
}

/** Keyed hash for values that are only compared, one key per purpose. Returns 64 hex characters. */
export type Hasher = (text: string) => string

interface SealingKey {
  readonly id: string
  readonly key: Uint8Array
}

function derive(secret: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', `countersign ${purpose}`, 32))
}

function sealingKeyOf(masterKey: Uint8Array): SealingKey {
  const digest = createHash('sha256').update('countersign key id').update(masterKey).digest('hex')
  return { id: digest.slice(0, 8), key: derive(masterKey, 'seal') }
}

function encrypt({ id, key }: SealingKey, text: string, context: string): string {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
  const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `v1.${id}.${sealed.toString('base64url')}`
}

function decrypt(keys: readonly SealingKey[], sealed: string, context: string): string {
  const [version, id, body, ...rest] = sealed.split('.')
  const found = keys.find(each => each.id === id)
  const bytes = Buffer.from(body ?? '', 'base64url')
  if (version !== 'v1' || rest.length > 0 || found === undefined || bytes.length < nonceBytes + tagBytes) {
    throw new CannotUnseal()
  }
  const nonce = bytes.subarray(0, nonceBytes)
  const decipher = createDecipheriv('aes-256-gcm', found.key, nonce, { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-tagBytes))
  try {
    return decipher.update(bytes.subarray(nonceBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8')
  } catch {
    throw new CannotUnseal()
  }
}

/** @param masterKeys  32 bytes each; the first one seals, every one unseals */
export function createKeyring(masterKeys: readonly Uint8Array[]): Keyring {
  const keys = masterKeys.map(sealingKeyOf)
  const [current] = keys
  if (current === undefined) throw new Error('createKeyring: masterKeys is empty; pass at least one key')
  return {
    seal: (text, context) => encrypt(current, text, context),
    unseal: (sealed, context) => decrypt(keys, sealed, context),
    isStale: sealed => sealed.split('.')[1] !== current.id
  }
}

/**
 * A keyed hash (HMAC-SHA-256) for one purpose: license keys, API tokens and audit entries are compared, never recovered.
 * @param pepper  32 random bytes of the store, see `pepper.ts`
 */
export function createHasher(pepper: Uint8Array, purpose: string): Hasher {
  const key = derive(pepper, purpose)
  return text => createHmac('sha256', key).update(text).digest('hex')
}
