import { randomBytes, randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'

/**
 * Random secrets, license keys and ids. A secret is a fixed prefix, 32 random bytes in base64url and a checksum: a typo
 * or a truncated paste is detected before anything is sent, and secret scanners recognise the prefix. The protocol
 * treats the whole string as opaque (PROTOCOL §3).
 */

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const checksumLength = 6

function checksum(text: string): string {
  let rest = crc32(text)
  let digits = ''
  for (let i = 0; i < checksumLength; i++) {
    digits = alphabet.charAt(rest % alphabet.length) + digits
    rest = Math.floor(rest / alphabet.length)
  }
  return digits
}

/** @param kind  `sk`: a client's key, `tk`: a ticket, `at`: an API token */
export function createSecret(kind: 'sk' | 'tk' | 'at'): string {
  const body = `cs_${kind}_${randomBytes(32).toString('base64url')}`
  return body + checksum(body)
}

/** Whether the text has the form and the checksum of a secret. The secret may still not exist. */
export function isWellFormedSecret(text: string): boolean {
  if (!/^cs_(sk|tk|at)_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$/.test(text)) return false
  return checksum(text.slice(0, -checksumLength)) === text.slice(-checksumLength)
}

/** Crockford's base32: without letters that are easily misread. */
const licenseAlphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const licenseGroups = 5
const licenseGroupLength = 5

/** A license key for typing: 125 random bits in five groups of five characters. */
export function createLicenseKey(): string {
  const group = () =>
    Array.from({ length: licenseGroupLength }, () => licenseAlphabet.charAt(randomInt(licenseAlphabet.length))).join('')
  return Array.from({ length: licenseGroups }, group).join('-')
}

/** A random id with a prefix: `client_…`, `key_…`. */
export function createId(prefix: string): string {
  return `${prefix}_${randomBytes(12).toString('hex')}`
}
