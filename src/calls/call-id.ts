import { createHash } from 'node:crypto'

/**
 * Ids of calls (PROTOCOL §16). An id holds the id of the call's record, when the call expires, and a MAC that binds
 * both to the receiver's session: any instance can check without the store that the call went to this session.
 */

/** A keyed hash, the same for all instances: 32 hex characters. */
export type CallMac = (text: string) => string

const recordChars = 22
const timeChars = 9
const macChars = 32

export interface CallId {
  readonly recordId: string
  /** Unix milliseconds. */
  readonly expiresAt: number
}

/**
 * The record of a call with an idempotency key, or of one that may run again.
 * @param scope  the key's owner: equal keys of different scopes are independent
 */
export function recordIdOf(scope: string, key: string): string {
  return createHash('sha256').update(`${scope}\n${key}`).digest('base64url').slice(0, recordChars)
}

function bindingOf({ recordId, expiresAt }: CallId, sessionId: string): string {
  return `id ${recordId} ${expiresAt} ${sessionId}`
}

export function createCallId(mac: CallMac, call: CallId, sessionId: string): string {
  const time = call.expiresAt.toString(36).padStart(timeChars, '0')
  return call.recordId + time + mac(bindingOf(call, sessionId))
}

/** @returns undefined if no call to this session has the id */
export function readCallId(mac: CallMac, callId: string, sessionId: string): CallId | undefined {
  if (callId.length !== recordChars + timeChars + macChars) return undefined
  const call = splitCallId(callId)
  // No constant-time comparison is needed: only the receiver knows the id of a call, and a guess has no effect.
  return callId === createCallId(mac, call, sessionId) ? call : undefined
}

/** Decodes an id that this or another instance made. */
export function splitCallId(callId: string): CallId {
  return {
    recordId: callId.slice(0, recordChars),
    expiresAt: Number.parseInt(callId.slice(recordChars, recordChars + timeChars), 36)
  }
}
