import { hash } from 'node:crypto'

const digestChars = 22

/** Compares the data of a repeated publication: 128 bits of SHA-256, against collisions made on purpose. */
export function dataDigest(data: string): string {
  return hash('sha256', data, 'base64url').slice(0, digestChars)
}
