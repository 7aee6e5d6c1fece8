import { randomBytes, randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'

/**
 * Things that are shown once. A secret is a fixed prefix, 32 random bytes in base64url and a checksum, so that a typo
 * or a cut-off paste is found before anything is sent, and scanners can tell a secret from other text. To the protocol
 * the whole string is opaque (PROTOCOL §3).
 */

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const checksumLength = 6

function checksum(text: string): string {
  let rest = crc32(text)
  let digits = ''
  for (let i = 0; i < checksumLength; i++) {
    digits = alphabet.charAt(rest % 62) + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}

/** @param kind  `sk`: a client's key, `tk`: a ticket's, `at`: an API token */
export function createSecret(kind: 'sk' | 'tk' | 'at'): string {
  const body = `cs_${kind}_${randomBytes(32).toString('base64url')}`
  return body + checksum(body)
}

/** Whether a text is a whole secret of ours. Says nothing of whether anyone knows it. */
export function isWholeSecret(text: string): boolean {
  if (!/^cs_(sk|tk|at)_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$/.test(text)) return false
  return checksum(text.slice(0, -checksumLength)) === text.slice(-checksumLength)
}

/** Crockford's base32 without the letters that are misread: what people type from a screen. */
const licenseAlphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const licenseGroups = 5
const licenseGroupLength = 5

/** A license key for people: 125 random bits in five groups of five. */
export function createLicenseKey(): string {
  const group = () =>
    Array.from({ length: licenseGroupLength }, () => licenseAlphabet.charAt(randomInt(licenseAlphabet.length))).join('')
  return Array.from({ length: licenseGroups }, group).join('-')
}

/** An id that nobody chose: `client_…`, `key_…`. */
export function createId(prefix: string): string {
  return `${prefix}_${randomBytes(12).toString('hex')}`
}
