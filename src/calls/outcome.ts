import { type CodeName, codes } from '../protocol/codes.js'
import type { FrameText } from '../protocol/frame-text.js'
import type { DownstreamMessages } from '../protocol/messages.js'
import { RateLimited } from '../protocol/protocol-error.js'
import { retryAfterMs } from '../protocol/retry.js'
import { ShareExceeded, StoreUnavailable } from '../store/store.js'

/** A receiver's answer. */
export interface CallResult {
  /** JSON text; absent: no data. */
  readonly data?: string
  readonly error?: { readonly code: string; readonly message: string }
}

/** The outcome of a call, for its caller (PROTOCOL §16). */
export type CallOutcome =
  | { readonly kind: 'answered'; readonly sessionId: string; readonly result: CallResult }
  | {
      readonly kind: 'refused'
      readonly code: CodeName
      readonly message?: string
      readonly retryAfterMs?: number
      /** Whether the call may have run. Absent: it did not. */
      readonly outcome?: 'unknown' | 'unsent'
    }

export const timedOut: CallOutcome = { kind: 'refused', code: 'CALL_TIMEOUT', outcome: 'unknown' }
export const noReceiver: CallOutcome = { kind: 'refused', code: 'NO_RECEIVER' }
export const denied: CallOutcome = { kind: 'refused', code: 'PERMISSION_DENIED', message: 'call: no pattern matches' }
export const keyConflict: CallOutcome = {
  ...{ kind: 'refused', code: 'INVALID_MESSAGE' },
  message: 'idempotencyKey: already used for another call'
}

/** @param what  the message of the refusal */
export function tooManyCalls(what: string): CallOutcome {
  return { kind: 'refused', code: 'RATE_LIMITED', message: what, retryAfterMs }
}

/** @param limit  most open calls of a session */
export function tooManyOpenCalls(limit: number): RateLimited {
  return new RateLimited(`call: ${limit} calls of this session are open, which is the limit`, retryAfterMs)
}

/** The outcome of a call that could not reach its receiver. */
export function refusalOf(delivered: 'full' | 'missing'): CallOutcome {
  return delivered === 'missing' ? noReceiver : tooManyCalls('too many calls to this receiver, or its outbox is full')
}

/** The outcome of a call that failed on its way. @throws unexpected errors */
export function outcomeOf(error: unknown): CallOutcome {
  const outcome = expectedOutcome(error)
  if (outcome === undefined) throw error
  return outcome
}

/** The outcome of a call after a fault of the gateway. */
export const failed: CallOutcome = { kind: 'refused', code: 'UNAVAILABLE', outcome: 'unknown', retryAfterMs }

/** @returns undefined if the error is unexpected */
export function expectedOutcome(error: unknown): CallOutcome | undefined {
  if (error instanceof ShareExceeded) return tooManyCalls('too many results of calls are kept')
  if (error instanceof StoreUnavailable) {
    return { kind: 'refused', code: 'UNAVAILABLE', outcome: error.outcome, retryAfterMs }
  }
  if (error instanceof RateLimited) {
    return { kind: 'refused', code: 'RATE_LIMITED', message: error.message, retryAfterMs: error.retryAfterMs }
  }
  return undefined
}

type ErrorMessage = Omit<DownstreamMessages['error'], 'seq'>

/** The frame with the outcome of a session's call. @param re  the seq of the call */
export function outcomeMessage(re: number, outcome: CallOutcome): FrameText | ErrorMessage {
  if (outcome.kind === 'answered') {
    const { sessionId, result } = outcome
    const { data, error } = result
    if (error === undefined) {
      // A session id contains no character that JSON escapes.
      const members = `"re":${re},"sessionId":"${sessionId}"${data === undefined ? '' : `,"data":${data}`}}`
      return { type: 'called', members }
    }
    const { code, message } = error
    return { type: 'error', re, code: 'CALL_FAILED', message: codes.CALL_FAILED.message, error: { code, message } }
  }
  const { kind: _, code, message = codes[code].message, ...rest } = outcome
  return { type: 'error', re, code, message, ...rest }
}
