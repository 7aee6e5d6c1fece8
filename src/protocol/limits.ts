/** Bounds of the wire (PROTOCOL §11). Those in `defaultLimits` can be configured and are told in the welcome. */

export interface Limits {
  /** A frame, in bytes of UTF-8. */
  frameBytes: number
  /** A publication's `data`, in bytes as re-encoded. */
  dataBytes: number
  /** Levels of nesting; the frame's own object is the first. */
  depth: number
  batchFrames: number
  batchBytes: number
  answerBytes: number
  channels: number
  recover: number
  /** Longest hold of a poll, in seconds. */
  waitMax: number
}

export const defaultLimits: Readonly<Limits> = Object.freeze({
  frameBytes: 65_536,
  dataBytes: 32_768,
  depth: 32,
  batchFrames: 64,
  batchBytes: 262_144,
  answerBytes: 262_144,
  channels: 128,
  recover: 512,
  waitMax: 25
})

/** An authenticate frame, in bytes (PROTOCOL §4). */
export const authenticateBytes = 4096
/** A challenge's life, in seconds (PROTOCOL §4). */
export const challengeSeconds = 60
/** A handshake's time from the opened socket to a verified authenticate, in seconds (PROTOCOL §4). */
export const handshakeSeconds = 10
/** The longest life of a session, in seconds (PROTOCOL §4). */
export const sessionSeconds = 24 * 60 * 60
/** Frames that wait for a session in the gateway, then SLOW_CONSUMER (PROTOCOL §11). */
export const outboxFrames = 1024
/** Bytes that wait for a session in the gateway, then SLOW_CONSUMER (PROTOCOL §11). */
export const outboxBytes = 1_048_576
/** Keys tried for an authenticate without keyId (PROTOCOL §4). */
export const keysWithoutKeyId = 4
/** Pairs in an authenticate's `attributes` (PROTOCOL §4). */
export const attributePairs = 16
/** An attribute's name and value, in bytes (PROTOCOL §11). */
export const attributeNameBytes = 32
export const attributeValueBytes = 128
/** A hwid and a license key, in bytes (PROTOCOL §11). */
export const hwidBytes = 256
export const licenseKeyBytes = 256

export const protocolName = 'countersign.v1'
