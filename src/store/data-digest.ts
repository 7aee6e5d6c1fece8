import { hash } from 'node:crypto'

const digestChars = 22

/** Identifies the data of a repeated publication: 128 bits of SHA-256, against deliberate collisions. */
export function dataDigest(data: string): string {
  return hash('sha256', data, 'base64url').slice(0, digestChars)
}
