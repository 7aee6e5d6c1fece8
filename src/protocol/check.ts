import type { CodeName } from './codes.js'

/** The parts of which `checks.generated.ts` is made. */

/** One member of a message. */
export interface Member {
  readonly name: string
  readonly required: boolean
  /** What a peer is told was expected. */
  readonly expected: string
  /** The code for a value that does not fit; INVALID_MESSAGE unless it says another. */
  readonly code?: CodeName
  /** An empty array is taken for an empty object (PROTOCOL §2: Luau's `JSONEncode({})` is `[]`). */
  readonly isObject?: boolean
  readonly check: (value: unknown) => boolean
}

/** UTF-8 bytes of a text without lone surrogates. */
export function byteLength(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit >= 0x800) bytes += unit >= 0xd800 && unit <= 0xdfff ? 1 : 2
    else if (unit >= 0x80) bytes++
  }
  return bytes
}

export function hasAtMostBytes(text: string, maxBytes: number): boolean {
  return text.length <= maxBytes && byteLength(text) <= maxBytes
}

/** Characters as Unicode counts them: a surrogate pair is one. */
export function hasAtMostCharacters(text: string, maxCharacters: number): boolean {
  return text.length <= maxCharacters || (text.length <= 2 * maxCharacters && [...text].length <= maxCharacters)
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isTextRecord(value: unknown, maxPairs: number, nameMaxBytes: number, valueMaxBytes: number): boolean {
  if (!isObject(value)) return false
  const pairs = Object.entries(value)
  return (
    pairs.length <= maxPairs &&
    pairs.every(
      ([name, text]) =>
        name !== '' &&
        hasAtMostBytes(name, nameMaxBytes) &&
        typeof text === 'string' &&
        hasAtMostBytes(text, valueMaxBytes)
    )
  )
}
