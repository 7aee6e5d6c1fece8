import type { CodeName } from './codes.js'

/** The functions that the generated checks in `checks.generated.ts` call. */

/** One member of a message. */
export interface Member {
  readonly name: string
  readonly required: boolean
  /** The expected value of an upstream member, for the error message to the peer. */
  readonly expected: string | undefined
  /** The error code for an invalid string. Default: INVALID_MESSAGE. */
  readonly code: CodeName | undefined
  /** Whether an empty array counts as an empty object (PROTOCOL §2: `JSONEncode({})` in Luau is `[]`). */
  readonly isObject: boolean
  readonly check: Check
}

type Check = (value: unknown) => boolean

export function required(name: string, check: Check, expected?: string, code?: CodeName): Member {
  return { name, required: true, expected, code, isObject: false, check }
}

export function optional(name: string, check: Check, expected?: string, code?: CodeName): Member {
  return { ...required(name, check, expected, code), required: false }
}

/** A member whose value is an object. */
export function objectMember(member: Member): Member {
  return { ...member, isObject: true }
}

const ownProperty = Object.prototype.hasOwnProperty

/** `Object.hasOwn`, which Safari 15.0 lacks. */
export function hasOwn(object: object, name: string): boolean {
  return ownProperty.call(object, name)
}

/** The length of a string in UTF-8 bytes. The string must not contain lone surrogates. */
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

/** Counts Unicode code points: a surrogate pair is one character. */
export function hasAtMostCharacters(text: string, maxCharacters: number): boolean {
  return text.length <= maxCharacters || (text.length <= 2 * maxCharacters && [...text].length <= maxCharacters)
}

export function isInteger(value: unknown, minimum: number, maximum: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function hasMembers(value: object, minimum: number, maximum: number): boolean {
  const { length } = Object.keys(value)
  return length >= minimum && length <= maximum
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
