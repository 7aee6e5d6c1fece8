/**
 * HMAC-SHA256 behind one synchronous interface with two implementations: `mac-node.ts` (node:crypto), and
 * `mac-portable.ts` (`sha256.ts`) for browsers, where WebCrypto is asynchronous and missing on http:// pages. All other
 * code in this folder receives the implementation as an argument, so it runs on any platform.
 */

/** A MAC with its key. A session creates each of its MACs once, because preparing a key is expensive. */
export interface Mac {
  /** @returns the tag of the UTF-8 bytes of `text`: 64 lower-case hex characters */
  ofText(text: string): string
  /** @returns the tag of `bytes[0, end)` followed by `}`, which are the signed bytes of a frame (PROTOCOL §2) */
  ofClosedBytes(bytes: Uint8Array, end: number): string
}

/**
 * Creates a MAC.
 * @param key  of any length; a key of more than 64 bytes is replaced by its SHA-256 (RFC 2104 §2)
 */
export type MacMaker = (key: Uint8Array) => Mac

/** Block size of SHA-256 in bytes (B in RFC 2104). */
export const blockBytes = 64

/**
 * Encodes a string as UTF-8. Callers pass no lone surrogates, which would become U+FFFD: `JSON.stringify` escapes them.
 * The encoder is created late, because Jest's jsdom has none: a module must be importable there.
 */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Decodes a hex string that is known to be well-formed, such as a tag of {@link Mac}. */
export function hexToBytes(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

/**
 * Compares `bytes` from `start` with the characters of `expected`, in constant time.
 */
export function constantTimeEqualHexAt(bytes: Uint8Array, start: number, expected: string): boolean {
  let difference = 0
  for (let i = 0; i < expected.length; i++) difference |= expected.charCodeAt(i) ^ (bytes[start + i] ?? 0x100)
  return difference === 0
}

/** Compares two strings in a time that depends on their lengths only, which are not secret. */
export function constantTimeEqual(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < b.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}
