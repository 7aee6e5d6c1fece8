import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto'

/**
 * Secrets at rest. HMAC secrets must be recoverable, so they are sealed: AES-256-GCM under a key derived from a master
 * key, a random 96-bit nonce per write (NIST SP 800-38D §8.2.2), and associated data that name what is sealed, so that
 * a ciphertext moved to another row does not open. License keys, tokens and audit entries are only ever compared: they
 * are kept as HMACs under keys that follow from the pepper, 32 random bytes which are themselves sealed.
 */

const nonceBytes = 12
const tagBytes = 16

/** Nothing on the ring opens this text: the master key is another one, or the text was changed or moved. */
export class CannotUnseal extends Error {
  override readonly name = 'CannotUnseal'

  constructor() {
    super('a sealed value does not open under any master key')
  }
}

export interface Keyring {
  /** @param place  what is sealed, e.g. `client:<clientId>:<keyId>`; needed again to open it */
  seal(text: string, place: string): string
  /** @throws CannotUnseal */
  unseal(sealed: string, place: string): string
  /** Whether a sealed text was made under another key than the one in use. */
  isStale(sealed: string): boolean
}

/** A keyed hash for what is only compared, each purpose with a key of its own: 64 hex characters. */
export type Hasher = (text: string) => string

interface RingKey {
  readonly id: string
  readonly key: Uint8Array
}

function derive(secret: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', `countersign ${purpose}`, 32))
}

/**
 * @param masterKeys  32 bytes each; the first encrypts, all decrypt
 */
export function createKeyring(masterKeys: readonly Uint8Array[]): Keyring {
  const ring = masterKeys.map(
    (master): RingKey => ({
      id: createHash('sha256').update('countersign key id').update(master).digest('hex').slice(0, 8),
      key: derive(master, 'seal')
    })
  )
  const [current] = ring
  if (current === undefined) throw new Error('a key ring needs a master key')

  return {
    seal(text, place) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', current.key, nonce).setAAD(Buffer.from(place))
      const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return `v1.${current.id}.${sealed.toString('base64url')}`
    },
    unseal(sealed, place) {
      const [version, id, body, ...rest] = sealed.split('.')
      const found = ring.find(each => each.id === id)
      const bytes = Buffer.from(body ?? '', 'base64url')
      if (version !== 'v1' || rest.length > 0 || found === undefined || bytes.length < nonceBytes + tagBytes) {
        throw new CannotUnseal()
      }
      const nonce = bytes.subarray(0, nonceBytes)
      const decipher = createDecipheriv('aes-256-gcm', found.key, nonce, { authTagLength: tagBytes })
      decipher.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(-tagBytes))
      try {
        return decipher.update(bytes.subarray(nonceBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8')
      } catch {
        throw new CannotUnseal()
      }
    },
    isStale: sealed => sealed.split('.')[1] !== current.id
  }
}

/** A keyed hash for one purpose. */
export function createHasher(pepper: Uint8Array, purpose: string): Hasher {
  const key = derive(pepper, purpose)
  return text => createHmac('sha256', key).update(text).digest('hex')
}
