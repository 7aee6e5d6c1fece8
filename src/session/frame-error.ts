import { type CodeName, codes, type EndingCode } from '../protocol/codes.js'
import { ProtocolError, RateLimited } from '../protocol/protocol-error.js'
import { retryAfterMs } from '../protocol/retry.js'
import { StoreUnavailable } from '../store/store.js'
import type { Log, SessionDependencies } from './dependencies.js'

/** The error that answers a frame: in reply, and the session goes on; or as the last frame of its session. */
export type FrameError =
  | {
      readonly ends: false
      /** The frame's seq, if it was read. */
      readonly seq: number | undefined
      readonly code: CodeName
      readonly message: string
      readonly retryAfterMs?: number
      /** With UNAVAILABLE: whether the message may have taken effect. */
      readonly outcome?: StoreUnavailable['outcome']
    }
  | { readonly ends: true; readonly seq: number | undefined; readonly code: EndingCode; readonly message: string }

function endingOf(code: CodeName): EndingCode | undefined {
  return 'close' in codes[code] ? (code as EndingCode) : undefined
}

/**
 * Turns an error from verifying, decoding or handling a frame into an error for the client, on any transport, and logs
 * it.
 * @param error  ProtocolError and StoreUnavailable are expected; anything else becomes INTERNAL
 * @param seq    the frame's seq, if it was read; else the error's own seq counts
 * @param log    the session's log, whose lines name the session
 */
export function frameErrorOf(
  error: unknown,
  seq: number | undefined,
  log: Log,
  boundedLog: Pick<SessionDependencies['boundedLog'], 'frames' | 'storeFailed'>
): FrameError {
  if (error instanceof StoreUnavailable) {
    boundedLog.storeFailed('frames', error)
    const { message } = codes.UNAVAILABLE
    const { outcome } = error
    return { ends: false, seq, code: 'UNAVAILABLE', message, retryAfterMs, outcome }
  }
  if (!(error instanceof ProtocolError)) {
    log.error({ err: error }, 'a message handler failed')
    return { ends: true, seq, code: 'INTERNAL', message: codes.INTERNAL.message }
  }
  const { code, message } = error
  const frameSeq = seq ?? error.seq
  // Limiters of rates and quotas log their refusals themselves, once a minute and client.
  if (error instanceof RateLimited) {
    return { ends: false, seq: frameSeq, code, message, retryAfterMs: error.retryAfterMs }
  }
  boundedLog.frames.record(code, () => log.info({ code, reason: message, seq: frameSeq }, 'a frame was refused'))
  const ending = endingOf(code)
  // PROTOCOL §7.1: these two codes end a session only without `re`.
  const isTemporary = (code === 'RATE_LIMITED' || code === 'UNAVAILABLE') && frameSeq !== undefined
  return ending === undefined || isTemporary
    ? { ends: false, seq: frameSeq, code, message }
    : { ends: true, seq: frameSeq, code: ending, message }
}
