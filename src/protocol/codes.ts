import { hasOwn } from './check.js'

/**
 * The codes of errors (PROTOCOL §7.3). The class of a close code determines what a client does. 44xx: the client is at fault and
 * reconnecting would not help. 45xx: the gateway is at fault or the cause is temporary, so the client reconnects.
 */
export interface Code {
  /** WebSocket close code, if the code ends a session. */
  readonly close?: number
  /** HTTP status. */
  readonly status: number
  /** Default text for the peer. Before a session the gateway sends no other text. */
  readonly message: string
}

export const codes = {
  AUTHENTICATION_FAILED: { close: 4401, status: 401, message: 'authentication failed' },
  UNSUPPORTED_PROTOCOL: { close: 4406, status: 400, message: 'this gateway speaks countersign.v1' },
  PROTOCOL_ERROR: { close: 4400, status: 400, message: 'not a frame of this protocol' },
  SESSION_REVOKED: { close: 4403, status: 410, message: 'the key, the client or the session was revoked' },
  CHALLENGE_FAILED: { close: 4404, status: 410, message: 'the challenge was answered wrongly' },
  FRAME_TOO_LARGE: { close: 4413, status: 413, message: 'larger than the limit' },
  INTERNAL: { close: 4500, status: 500, message: 'a fault of the gateway, see its log' },
  SIGNATURE_INVALID: { close: 4501, status: 401, message: 'the signature does not verify' },
  HEARTBEAT_LOST: { close: 4508, status: 410, message: 'no sign of life in time' },
  SEQUENCE_INVALID: { close: 4509, status: 409, message: 'not the next seq' },
  SESSION_EXPIRED: { close: 4510, status: 410, message: 'the session has ended, open another' },
  SLOW_CONSUMER: { close: 4511, status: 410, message: 'frames were not read fast enough' },
  DRAINING: { close: 4512, status: 503, message: 'this instance is stopping, reconnect' },
  UNAVAILABLE: { close: 4513, status: 503, message: 'not possible right now, try again' },
  RATE_LIMITED: { close: 4529, status: 429, message: 'too many, slow down' },
  SESSION_NOT_FOUND: { status: 404, message: 'no such session' },
  UNKNOWN_TYPE: { status: 400, message: 'unknown type' },
  INVALID_MESSAGE: { status: 400, message: 'a member has a wrong type, range or length' },
  INVALID_CHANNEL: { status: 400, message: 'not a channel name' },
  PERMISSION_DENIED: { status: 403, message: 'not allowed' },
  NO_RECEIVER: { status: 404, message: 'there is no such live session: nothing ran' },
  CALL_FAILED: { status: 502, message: 'the receiver answered with an error' },
  CALL_TIMEOUT: { status: 504, message: 'no answer in time: it may have run' },
  INSUFFICIENT_STATE: { status: 409, message: 'publications were missed, subscribe again' }
} as const satisfies Record<string, Code>

export type CodeName = keyof typeof codes

/** Codes that end a session. */
export type EndingCode = { [K in CodeName]: (typeof codes)[K] extends { close: number } ? K : never }[CodeName]

/** Lowest close code of class 45xx. */
const firstTransientClose = 4500

/** Close codes of RFC 6455 §7.4.1. */
export const closeNormal = 1000
export const closeUnsupportedData = 1003

/** Codes of a `validation` (PROTOCOL §7.2), in the order in which they are evaluated. */
export const validationCodes = [
  'NOT_FOUND',
  'REVOKED',
  'SUSPENDED',
  'NOT_YET_VALID',
  'EXPIRED',
  'HWID_REQUIRED',
  'HWID_BANNED',
  'HWID_MISMATCH',
  'TOO_MANY_HWIDS',
  'TOO_MANY_SESSIONS',
  'VALID'
] as const

export type ValidationCode = (typeof validationCodes)[number]

/**
 * The effect of a signed error on a session.
 * @param code  any string that a gateway sent
 * @returns `permanent` (44xx): the client stops; `transient` (45xx): it reconnects; `none`: the session continues, as for
 *   any unknown code
 */
export function endingClassOf(code: string): 'permanent' | 'transient' | 'none' {
  if (!hasOwn(codes, code)) return 'none'
  const { close }: Code = codes[code as CodeName]
  if (close === undefined) return 'none'
  return close < firstTransientClose ? 'permanent' : 'transient'
}
