import { hasOwn } from './check.js'
import { scanFrameText } from './json-scan.js'
import { constantTimeEqualHexAt, type Mac } from './mac.js'
import { ProtocolError } from './protocol-error.js'

/**
 * Signed frames (PROTOCOL §2): `{…,"signature":"<64 hex>"}`. The tail has a fixed length, so a receiver finds the signed
 * bytes without parsing, and verifies the received bytes without encoding them again.
 */

const tailStart = ',"signature":"'
const tailEnd = '"}'
/** Length of the tail in bytes: comma, name, 64 hex characters, quote and brace. */
export const tailBytes = tailStart.length + 64 + tailEnd.length

/** Replaces the closing brace of a JSON object by the tail. */
function appendSignature(text: string, signature: string): string {
  return text.slice(0, -1) + tailStart + signature + tailEnd
}

/**
 * Encodes and signs a message.
 * @param mac      keyed with the session key of the sender
 * @param message  a JSON object with at least one member, without `signature`
 * @returns the text of the frame
 */
export function signMessage(mac: Mac, message: object): string {
  return signText(mac, JSON.stringify(message))
}

/**
 * Signs an encoded message.
 * @param text  a JSON object with at least one member, without `signature`
 * @returns the text of the frame
 */
export function signText(mac: Mac, text: string): string {
  return appendSignature(text, mac.ofText(text))
}

function isLowerHex(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66)
}

/** The index of the tail, whatever its signature is; -1 if the frame has none, or no member before it. */
function findTail(frame: Uint8Array): number {
  const start = frame.length - tailBytes
  if (start < 2) return -1
  for (let i = 0; i < tailStart.length; i++) if (frame[start + i] !== tailStart.charCodeAt(i)) return -1
  return frame[frame.length - 2] === 0x22 && frame[frame.length - 1] === 0x7d ? start : -1
}

/** @returns whether a frame ends like a signed one */
export function hasTail(frame: Uint8Array): boolean {
  return findTail(frame) >= 0 && frame.subarray(-64 - tailEnd.length, -tailEnd.length).every(isLowerHex)
}

/** Created with the first frame, because Jest's jsdom has none: this module must be importable there. */
let decoder: TextDecoder | undefined

/** Decodes bytes. @throws TypeError for bytes that are not UTF-8 */
export type Utf8Decoder = (bytes: Uint8Array) => string

/** The {@link Utf8Decoder} for any platform. */
export const decodeUtf8: Utf8Decoder = bytes => {
  decoder ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  return decoder.decode(bytes)
}

/**
 * Reads the signed part of a frame without verifying it. For an `authenticate`, whose key follows from its content.
 * @param frame  UTF-8
 * @param depth  allowed nesting levels; the object of the frame is the first
 * @returns the text of the signed part, for the decoders in `messages.ts`
 * @throws ProtocolError PROTOCOL_ERROR for a frame that breaks a rule of PROTOCOL §2
 */
export function readSignedText(frame: Uint8Array, depth: number): string {
  if (!hasTail(frame)) throw new ProtocolError('PROTOCOL_ERROR', 'a frame must end with its signature')
  return scannedText(frame, findTail(frame), depth, decodeUtf8)
}

/**
 * @param mac    keyed with the session key of the sender
 * @param frame  UTF-8
 * @returns whether the frame has a well-formed tail with the correct signature
 */
export function hasValidSignature(mac: Mac, frame: Uint8Array): boolean {
  const end = findTail(frame)
  return end >= 0 && constantTimeEqualHexAt(frame, end + tailStart.length, mac.ofClosedBytes(frame, end))
}

/**
 * Verifies a frame, then checks its text against PROTOCOL §2.3. Nothing unverified is parsed.
 * @param mac    keyed with the session key of the sender
 * @param frame  UTF-8
 * @param depth  allowed nesting levels; the object of the frame is the first
 * @param decode the platform's decoder
 * @returns the text of the signed part, for the decoders in `messages.ts`; it may still be malformed JSON
 * @throws ProtocolError PROTOCOL_ERROR if the tail is malformed or a rule is broken; SIGNATURE_INVALID
 */
export function verifyFrame(mac: Mac, frame: Uint8Array, depth: number, decode = decodeUtf8): string {
  const end = findTail(frame)
  if (end < 0 || !constantTimeEqualHexAt(frame, end + tailStart.length, mac.ofClosedBytes(frame, end))) {
    // Checked last: a valid signature implies a well-formed tail.
    if (!hasTail(frame)) throw new ProtocolError('PROTOCOL_ERROR', 'a frame must end with its signature')
    throw new ProtocolError('SIGNATURE_INVALID')
  }
  return scannedText(frame, end, depth, decode)
}

function scannedText(frame: Uint8Array, end: number, depth: number, decode: Utf8Decoder): string {
  let text: string
  try {
    text = `${decode(frame.subarray(0, end))}}`
  } catch {
    throw new ProtocolError('PROTOCOL_ERROR', 'the frame is not valid UTF-8')
  }
  scanFrameText(text, depth)
  return text
}

/**
 * Parses the text of a signed part.
 * @throws ProtocolError PROTOCOL_ERROR if the text is not JSON or has no string `type`
 */
export function parseMessage(text: string): { type: string; [member: string]: unknown } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new ProtocolError('PROTOCOL_ERROR', 'the frame is not JSON')
  }
  if (typeof value !== 'object' || value === null || !hasType(value)) {
    throw new ProtocolError('PROTOCOL_ERROR', 'type must be a string')
  }
  return value
}

function hasType(value: object): value is { type: string } {
  return hasOwn(value, 'type') && 'type' in value && typeof value.type === 'string'
}
