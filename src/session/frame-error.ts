import { type CodeName, codes, type EndingCode } from '../protocol/codes.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import { StoreUnavailable } from '../store/store.js'
import type { Log } from './dependencies.js'

/** How long a peer should wait after UNAVAILABLE, in milliseconds. */
const unavailableRetryMs = 1000

/** What a peer is told of a frame that came to nothing: an error in reply, after which the session goes on, or its last word. */
export type FrameError =
  | {
      readonly ends: false
      /** The frame's seq, where it is known. */
      readonly seq: number | undefined
      readonly code: CodeName
      readonly message: string
      readonly retryAfterMs?: number
    }
  | { readonly ends: true; readonly seq: number | undefined; readonly code: EndingCode; readonly message: string }

function endingOf(code: CodeName): EndingCode | undefined {
  return 'close' in codes[code] ? (code as EndingCode) : undefined
}

/**
 * Judges what verifying, decoding or handling a frame threw, for any transport, and writes it to the log.
 * @param seq  the frame's, where it was read; else the error's own counts
 */
export function frameErrorOf(error: unknown, seq: number | undefined, log: Log): FrameError {
  if (error instanceof StoreUnavailable) {
    log.warn({ err: error.cause }, 'the store does not answer')
    const { message } = codes.UNAVAILABLE
    return { ends: false, seq, code: 'UNAVAILABLE', message, retryAfterMs: unavailableRetryMs }
  }
  if (!(error instanceof ProtocolError)) {
    log.error({ err: error }, 'a handler failed')
    return { ends: true, seq, code: 'INTERNAL', message: codes.INTERNAL.message }
  }
  const { code, message } = error
  const of = seq ?? error.seq
  log.info({ code, reason: message, seq: of }, 'a frame was refused')
  const ending = endingOf(code)
  // PROTOCOL §7.1: these two end a session exactly if they come without `re`.
  const passing = (code === 'RATE_LIMITED' || code === 'UNAVAILABLE') && of !== undefined
  return ending === undefined || passing
    ? { ends: false, seq: of, code, message }
    : { ends: true, seq: of, code: ending, message }
}
