import { byteLength, type Member } from '../protocol/check.js'
import {
  attributesRequest,
  callRequest,
  callResultRequest,
  heartbeatRequest,
  historyRequest,
  presenceRequest,
  publishRequest,
  sessionsRequest,
  subscribeRequest,
  unsubscribeRequest,
  validateRequest
} from '../protocol/checks.generated.js'
import { tailBytes } from '../protocol/frame.js'
import type { Limits } from '../protocol/limits.js'
import { encodeJson } from './encode-json.js'
import { invalid } from './errors.js'

/**
 * Encodes a request once, when it is made: repeats send the same bytes, and invalid requests are refused here. Sizes
 * are checked against the limits of the session, so before the first session they are checked when it opens.
 */

export type RequestLimits = Pick<Limits, 'frameBytes' | 'dataBytes' | 'depth'>

const requestMembers = {
  validate: validateRequest,
  heartbeat: heartbeatRequest,
  subscribe: subscribeRequest,
  unsubscribe: unsubscribeRequest,
  publish: publishRequest,
  attributes: attributesRequest,
  call: callRequest,
  callResult: callResultRequest,
  history: historyRequest,
  presence: presenceRequest,
  sessions: sessionsRequest
}

export type RequestType = keyof typeof requestMembers

export interface Encoded {
  readonly type: RequestType
  /** The members after `type` and `seq` as JSON, each behind a comma. */
  readonly memberText: string
  readonly bytes: number
  /** Nesting levels of the frame. */
  readonly depth: number
  /** Bytes of `data`; 0 without. */
  readonly dataBytes: number
}

/** Levels of a value that is encoded before the limits are known. */
const maxDepth = 256

const inWords = (bytes: number) => bytes.toLocaleString('en-US')

/** @throws RequestError for an invalid value of a request's member */
function requireFit({ name, check, expected, code }: Member, value: unknown): void {
  if (!check(value)) throw invalid(name, `expected ${expected}`, code)
}

/**
 * Encodes a request.
 * @param members  undefined ones are left out
 * @param limits   of the current session; undefined before the first one
 * @throws RequestError INVALID_MESSAGE or INVALID_CHANNEL, with a path
 */
export function encodeRequest(
  type: RequestType,
  members: Readonly<Record<string, unknown>>,
  limits: RequestLimits | undefined
): Encoded {
  let text = ''
  let depth = 1
  let dataBytes = 0
  const known: readonly Member[] = requestMembers[type]
  for (const member of known) {
    const { name, required } = member
    if (name === 'seq') continue
    const value = members[name]
    if (value === undefined && !required) continue
    // If any JSON value is allowed, it is not known yet whether this is one.
    if (value === undefined) requireFit(member, value)
    const encoded = encodeJson(value, name, Math.min(limits?.depth ?? maxDepth, maxDepth))
    requireFit(member, value)
    text += `,"${name}":${encoded.text}`
    depth = Math.max(depth, encoded.depth)
    if (name === 'data') dataBytes = byteLength(encoded.text)
  }
  const encoded = { type, memberText: text, bytes: byteLength(text), depth, dataBytes }
  if (limits !== undefined) requireWithin(encoded, limits, 1)
  return encoded
}

/** The text of a frame before its signature. */
export function unsignedText({ type, memberText }: Encoded, seq: number): string {
  return `{"type":"${type}","seq":${seq}${memberText}}`
}

/**
 * @param seq  of the frame
 * @throws RequestError INVALID_MESSAGE if the frame's size exceeds a limit of the gateway
 */
export function requireWithin(encoded: Encoded, limits: RequestLimits, seq: number): void {
  const { type, bytes, depth, dataBytes } = encoded
  if (depth > limits.depth) throw invalid('data', `nested deeper than ${limits.depth} levels (limits.depth)`)
  if (dataBytes > limits.dataBytes) {
    const limit = inWords(limits.dataBytes)
    throw invalid('data', `${type}: data is ${inWords(dataBytes)} bytes; the limit is ${limit} (limits.dataBytes)`)
  }
  const frameBytes = `{"type":"${type}","seq":${seq}`.length + bytes + tailBytes
  if (frameBytes > limits.frameBytes) {
    const limit = inWords(limits.frameBytes)
    throw invalid(
      dataBytes > 0 ? 'data' : type,
      `the frame is ${inWords(frameBytes)} bytes; the limit is ${limit} (limits.frameBytes)`
    )
  }
}

/** The limits in a welcome; if it has none, the defaults. */
export function limitsOf(stated: Readonly<Record<string, number>> | undefined, defaults: RequestLimits): RequestLimits {
  const { frameBytes, dataBytes, depth } = { ...defaults, ...stated }
  return { frameBytes, dataBytes, depth }
}

const minTimeoutMs = 1
/** Longest delay of setTimeout. A longer one would fire at once. */
const maxTimeoutMs = 2 ** 31 - 1

/**
 * @returns the timeout in milliseconds; Infinity becomes the longest delay of a timer, 24.8 days
 * @throws RequestError INVALID_MESSAGE for anything but a number above 0
 */
export function timeoutOf(value: unknown, preset: number, path = 'timeoutMs'): number {
  if (value === undefined) return preset
  if (typeof value !== 'number' || !(value > 0)) throw invalid(path, 'expected milliseconds above 0')
  return Math.min(Math.max(value, minTimeoutMs), maxTimeoutMs)
}
