/**
 * HMAC-SHA256 behind one synchronous interface. There are two makers: `mac-node.ts` (node:crypto) for gateways and
 * command lines, `mac-portable.ts` (@noble/hashes) for browsers, where WebCrypto is asynchronous and absent on http://.
 * Everything else in this folder takes a maker as an argument and so runs anywhere.
 */

/** A keyed MAC. What can be kept of the key is kept, so that one session pays for its key once. */
export interface Mac {
  /** The tag of `text` in UTF-8, as 64 lower-case hex characters. */
  ofText(text: string): string
  /** The tag of `bytes[0, end)` followed by one `}`: the signed bytes of a frame (PROTOCOL §2), without a copy of it. */
  ofClosedBytes(bytes: Uint8Array, end: number): string
}

/**
 * Makes a keyed MAC.
 * @param key at most 64 bytes are kept as they are; a longer key stands for its SHA-256 (RFC 2104 §2)
 */
export type MacMaker = (key: Uint8Array) => Mac

/** RFC 2104: B, the block size of SHA-256 in bytes. */
export const blockBytes = 64

const encoder = new TextEncoder()

/** UTF-8 of a text. A lone surrogate would become U+FFFD: texts come from `JSON.stringify`, which escapes them. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Bytes of a hex text that is known to be well formed (a tag that we made ourselves). */
export function bytesOfHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

/**
 * Whether the characters of `expected` stand in `bytes` from `start`, in a time that depends on neither's content
 * (every character is looked at, nothing branches on one).
 */
export function sameHexAt(bytes: Uint8Array, start: number, expected: string): boolean {
  let difference = 0
  for (let i = 0; i < expected.length; i++) difference |= expected.charCodeAt(i) ^ (bytes[start + i] ?? 0x100)
  return difference === 0
}

/** The same for two texts. Their lengths are not secret: a wrong length is simply unequal. */
export function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < b.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}
