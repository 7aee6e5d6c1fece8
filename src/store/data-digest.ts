import { hash } from 'node:crypto'

const digestChars = 22

/** Tells whether a repeated publication has the same data: 128 bits of SHA-256, so nobody finds two data with one. */
export function dataDigest(data: string): string {
  return hash('sha256', data, 'base64url').slice(0, digestChars)
}
