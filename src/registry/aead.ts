import { createCipheriv, createDecipheriv, hkdfSync, randomFillSync } from 'node:crypto'

/**
 * AES-256-GCM with a random 96-bit nonce for every text. NIST SP 800-38D §8.3 allows 2^32 texts under one key: above
 * that, two of them share a nonce with a probability of more than 2^-32. SECURITY.md states the life of each key.
 */

const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16

// Random bytes for many nonces at a time: a separate request for each would take a third of the sealing time.
const nonces = Buffer.alloc(256 * nonceBytes)
let nonceAt = nonces.length

function newNonce(): Buffer {
  if (nonceAt === nonces.length) {
    randomFillSync(nonces)
    nonceAt = 0
  }
  const nonce = nonces.subarray(nonceAt, nonceAt + nonceBytes)
  nonceAt += nonceBytes
  return nonce
}

/** The sealed text was made under another key, changed, or copied from another place. */
export class CannotUnseal extends Error {
  override readonly name = 'CannotUnseal'

  constructor() {
    super('a sealed value does not open under any master key')
  }
}

/** A key for one purpose (HKDF-SHA-256, RFC 5869): texts sealed or hashed for one purpose are invalid for another. */
export function deriveKey(secret: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', `countersign ${purpose}`, keyBytes))
}

/**
 * @param key      32 bytes
 * @param context  the associated data: names the place of the text, and `openText` needs the same one
 * @returns base64url
 */
export function sealText(key: Uint8Array, text: string, context: string): string {
  const nonce = newNonce()
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
  return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url')
}

/** @throws CannotUnseal */
export function openText(key: Uint8Array, sealed: string, context: string): string {
  const bytes = Buffer.from(sealed, 'base64url')
  if (bytes.length < nonceBytes + tagBytes) throw new CannotUnseal()
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-tagBytes))
  try {
    return decipher.update(bytes.subarray(nonceBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8')
  } catch {
    throw new CannotUnseal()
  }
}
