import { scanFrameText } from './json-scan.js'
import { type Mac, sameHexAt } from './mac.js'
import { ProtocolError } from './protocol-error.js'

/**
 * A signed frame (PROTOCOL §2): `{…,"signature":"<64 hex>"}`. The tail has a fixed length, so the signed bytes are
 * found without parsing, and nothing is ever re-serialised to be verified.
 */

const tailStart = ',"signature":"'
const tailEnd = '"}'
/** Bytes of the tail: comma, name, 64 hex characters, quote and brace. */
export const tailBytes = tailStart.length + 64 + tailEnd.length

/** The text of one JSON object without a signature, then the tail. */
function closeWith(text: string, signature: string): string {
  return text.slice(0, -1) + tailStart + signature + tailEnd
}

/**
 * Signs a message.
 * @param mac      keyed with the sender's session key
 * @param message  an object with at least one member, without `signature`
 * @returns the frame's text
 */
export function signMessage(mac: Mac, message: object): string {
  return signText(mac, JSON.stringify(message))
}

/** Signs the text of one JSON object, for those who have built it already. */
export function signText(mac: Mac, text: string): string {
  return closeWith(text, mac.ofText(text))
}

function isLowerHex(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66))
}

/** Where the tail begins, if the frame has one and something before it; else -1. */
function findTail(frame: Uint8Array): number {
  const start = frame.length - tailBytes
  if (start < 2) return -1
  for (let i = 0; i < tailStart.length; i++) if (frame[start + i] !== tailStart.charCodeAt(i)) return -1
  for (let i = start + tailStart.length; i < frame.length - tailEnd.length; i++) if (!isLowerHex(frame[i])) return -1
  if (frame[frame.length - 2] !== 0x22 || frame[frame.length - 1] !== 0x7d) return -1
  return start
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The signed part of a frame whose signature is not judged here (an authenticate: its key follows from its content).
 * @returns the text of the signed part
 * @throws ProtocolError PROTOCOL_ERROR for anything that breaks §2
 */
export function readSignedText(frame: Uint8Array, depth: number): string {
  const end = findTail(frame)
  if (end < 0) throw new ProtocolError('PROTOCOL_ERROR', 'a frame ends with its signature')
  return scannedText(frame, end, depth)
}

/** Whether the frame's signature is the mac's tag of its signed bytes. False as well for a frame without a tail. */
export function hasValidSignature(mac: Mac, frame: Uint8Array): boolean {
  const end = findTail(frame)
  return end >= 0 && sameHexAt(frame, end + tailStart.length, mac.ofClosedBytes(frame, end))
}

/**
 * Verifies a frame, then reads its text: in this order, so that nothing unverified is ever parsed.
 * @param mac    keyed with the sender's session key
 * @param frame  UTF-8
 * @param depth  levels of nesting allowed
 * @returns the text of the signed part, which keeps every rule of §2 but may still not be JSON
 * @throws ProtocolError PROTOCOL_ERROR (no well-formed tail, or a broken rule), SIGNATURE_INVALID
 */
export function verifyFrame(mac: Mac, frame: Uint8Array, depth: number): string {
  const end = findTail(frame)
  if (end < 0) throw new ProtocolError('PROTOCOL_ERROR', 'a frame ends with its signature')
  if (!sameHexAt(frame, end + tailStart.length, mac.ofClosedBytes(frame, end))) {
    throw new ProtocolError('SIGNATURE_INVALID')
  }
  return scannedText(frame, end, depth)
}

function scannedText(frame: Uint8Array, end: number, depth: number): string {
  let text: string
  try {
    text = `${decoder.decode(frame.subarray(0, end))}}`
  } catch {
    throw new ProtocolError('PROTOCOL_ERROR', 'not UTF-8')
  }
  scanFrameText(text, depth)
  return text
}

/**
 * Parses the text of a signed part into an object.
 * @throws ProtocolError PROTOCOL_ERROR: not JSON, or no string `type`
 */
export function parseMessage(text: string): { type: string; [member: string]: unknown } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new ProtocolError('PROTOCOL_ERROR', 'not JSON')
  }
  if (typeof value !== 'object' || value === null || !hasType(value)) {
    throw new ProtocolError('PROTOCOL_ERROR', 'type must be a string')
  }
  return value
}

function hasType(value: object): value is { type: string } {
  return Object.hasOwn(value, 'type') && 'type' in value && typeof value.type === 'string'
}
