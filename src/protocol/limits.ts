/** The limits that a gateway can configure (PROTOCOL §11). Its welcome states them. */

export interface Limits {
  /** Bytes of a frame, signature included. */
  frameBytes: number
  /** Bytes of the `data` of a publication, as encoded by the gateway. */
  dataBytes: number
  /** Nesting levels of a frame; its own object is the first. */
  depth: number
  /** Bridge: messages in an exchange. */
  batchFrames: number
  /** Bridge: bytes of the body of an exchange. */
  batchBytes: number
  /** Bridge: bytes of the answer to an exchange. */
  answerBytes: number
  /** Channels that a session can join. */
  channels: number
  /** Publications that a recovery can replay. */
  recover: number
  /** Open calls by a session, and open calls to it: neither answered nor timed out. */
  openCalls: number
  /** Bridge: seconds for which a poll can be held. */
  waitMax: number
  /** Bytes of an answer to a list request. */
  listBytes: number
  /** Publications that a `subscribe` with `last` can ask for. */
  last: number
  /** Publications that a `history` can ask for. */
  history: number
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
  openCalls: 256,
  waitMax: 25,
  listBytes: 131_072,
  last: 512,
  history: 100
})

/** Bytes of an authenticate frame (PROTOCOL §4.2). */
export const authenticateBytes = 4096
/** Lifetime of a challenge in seconds (PROTOCOL §4.1). */
export const challengeSeconds = 60
/** Seconds from the opening of a socket to a verified authenticate (PROTOCOL §4.4). */
export const handshakeSeconds = 10
/** Seconds after a missed heartbeat until the gateway asks a silent ws client for one (PROTOCOL §6.1). */
export const pingAfterSeconds = 5
/** Longest lifetime of a session in seconds (PROTOCOL §4.5). */
export const sessionSeconds = 24 * 60 * 60
/** Frames that the gateway queues for a session; above that SLOW_CONSUMER (PROTOCOL §11). */
export const outboxFrames = 1024
/** Bytes that the gateway queues for a session; above that SLOW_CONSUMER (PROTOCOL §11). */
export const outboxBytes = 1_048_576
/** Keys that the gateway tries for an authenticate without keyId (PROTOCOL §4.2). */
export const keysWithoutKeyId = 4
/** Members of the `attributes` of an authenticate (PROTOCOL §4.2). */
export const attributePairs = 16
/** Bytes of the name and of the value of an attribute (PROTOCOL §11). */
export const attributeNameBytes = 32
export const attributeValueBytes = 128
/** Sessions that a `sessions` can ask for (PROTOCOL §15). */
export const maxListedSessions = 100
/** Sessions that a `presence` lists at most, and each list of a `presenceChanged` (PROTOCOL §10.7). */
export const presenceLimit = 100
/** Bytes of a hwid and of a license key (PROTOCOL §11). */
export const hwidBytes = 256
export const licenseKeyBytes = 256

/** Timeout of a call, set by its caller, in milliseconds (PROTOCOL §16). */
export const callTimeoutMs = { min: 100, default: 10_000, max: 30_000 } as const
/** Characters of the message of a receiver's error (PROTOCOL §16). */
export const callErrorCharacters = 512

export const protocolName = 'countersign.v1'
