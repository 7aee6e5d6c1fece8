import { constantTimeEqual } from '../protocol/mac.js'
import type { HandshakeHasher } from './challenge-token.js'

/**
 * Session ids that an instance recognizes without the store: 16 random bytes and 8 bytes of a keyed hash. Guessed ids
 * cost the store nothing, and a flood of them never blocks a session behind the same address.
 */

const randomBytes = 16
const hashBytes = 8
/** Characters of the random part in base64url. */
const randomLength = Math.ceil((randomBytes * 4) / 3)

function hashesOf(hasher: HandshakeHasher, random: string): readonly string[] {
  const hashes = hasher.hashHandshake(`session ${random}`)
  return hashes.map(hash => Buffer.from(hash).toString('base64url', 0, hashBytes))
}

/** @param randomText  returns a number of random bytes in base64url @returns 33 base64url characters */
export function createSessionId(hasher: HandshakeHasher, randomText: (bytes: number) => string): string {
  const random = randomText(randomBytes)
  return random + (hashesOf(hasher, random)[0] ?? '')
}

/** Whether a gateway of this store made the id. Ids of earlier versions are not recognized. */
export function isOwnSessionId(hasher: HandshakeHasher, sessionId: string): boolean {
  const hash = sessionId.slice(randomLength)
  return hashesOf(hasher, sessionId.slice(0, randomLength)).some(expected => constantTimeEqual(expected, hash))
}
