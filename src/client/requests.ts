import type { Downstream, DownstreamMessages } from '../protocol/messages.js'
import type { Encoded } from './encode.js'
import { RequestError, type RequestOutcome } from './errors.js'
import type { Platform } from './options.js'

/** Bound of concurrent requests. */
export const maxPendingRequests = 256
/** Pause before an unavailable request is repeated if the gateway gives none, and its bounds, in milliseconds. */
const repeatAfterMs = { default: 1000, min: 100, max: 30_000 }

type ErrorMessage = Pick<DownstreamMessages['error'], 'code' | 'message' | 're' | 'retryAfterMs' | 'outcome'>

export interface Request {
  readonly encoded: Encoded
  resolve(answer: Downstream): void
  reject(error: RequestError): void
  timer: unknown
  /** Until an unavailable request is sent again. */
  repeatTimer: unknown
  /** Sent in the current session and not answered there. */
  isSent: boolean
  /** Whether an attempt that is over may have run. */
  mayHaveRun: boolean
  /** The answer to the last attempt, if it was UNAVAILABLE. */
  refusal: ErrorMessage | undefined
}

function outcomeOf({ isSent, mayHaveRun }: Request): RequestOutcome {
  return isSent || mayHaveRun ? 'unknown' : 'unsent'
}

/** @param cause  why there is no session; undefined if there is one */
function timeoutError(request: Request, timeoutMs: number, cause: string | undefined): RequestError {
  const outcome = outcomeOf(request)
  if (request.refusal !== undefined) {
    const { code, message, retryAfterMs } = request.refusal
    return new RequestError(code, `${message} (refused for ${timeoutMs} ms)`, { retryAfterMs, outcome })
  }
  const fault = cause === undefined ? 'no answer' : 'no session'
  const because = cause === undefined ? '' : `: ${cause}`
  return new RequestError('TIMEOUT', `${fault} within ${timeoutMs} ms${because}`, { outcome })
}

/**
 * The requests that are not answered yet. All of them may be repeated (PROTOCOL §5.4), so those of a session that ended are
 * sent in the next one, until they time out. A publish that is answered UNAVAILABLE may have run (PROTOCOL §7.1), so it
 * is repeated too, with the idempotency key of its first attempt: a second publish by the caller would have another one.
 */
export class Requests {
  readonly #platform: Pick<Platform, 'setTimer' | 'clearTimer'>
  readonly #causeOfNoSession: () => string | undefined
  readonly #pending = new Set<Request>()
  #bySeq = new Map<number, Request>()

  /** @param causeOfNoSession  why there is no session; undefined if there is one */
  constructor(platform: Pick<Platform, 'setTimer' | 'clearTimer'>, causeOfNoSession: () => string | undefined) {
    this.#platform = platform
    this.#causeOfNoSession = causeOfNoSession
  }

  /**
   * Opens a request.
   * @param send  called at once; sends the request if there is a session. {@link restart} returns it for the next one
   * @returns the answer; rejects with RequestError
   */
  open(encoded: Encoded, timeoutMs: number, send: (request: Request) => void): Promise<Downstream> {
    return new Promise((resolve, reject) => {
      if (this.#pending.size >= maxPendingRequests) {
        return reject(
          new RequestError('TOO_MANY', `${maxPendingRequests} requests are pending already`, { outcome: 'unsent' })
        )
      }
      const request: Request = {
        ...{ encoded, resolve, reject },
        ...{ timer: undefined, repeatTimer: undefined, isSent: false, mayHaveRun: false, refusal: undefined }
      }
      request.timer = this.#platform.setTimer(() => {
        this.#remove(request)
        reject(timeoutError(request, timeoutMs, this.#causeOfNoSession()))
      }, timeoutMs)
      this.#pending.add(request)
      send(request)
    })
  }

  /** A request was sent in the current session with this `seq`. */
  onSent(request: Request, seq: number): void {
    request.isSent = true
    request.refusal = undefined
    this.#bySeq.set(seq, request)
  }

  /** Settles the request with the `seq` that an answer refers to. */
  settle(re: number | undefined, settle: (request: Request) => void): void {
    const request = re === undefined ? undefined : this.#bySeq.get(re)
    if (request === undefined || re === undefined) return
    this.#bySeq.delete(re)
    this.#remove(request)
    settle(request)
  }

  /**
   * An error answers the request `re`. A publish that is UNAVAILABLE is sent again, until it times out.
   * @param send  sends the request if there is a session
   */
  refuse(error: ErrorMessage, send: (request: Request) => void): void {
    const { re, code, message, retryAfterMs, outcome } = error
    const request = re === undefined ? undefined : this.#bySeq.get(re)
    if (request === undefined || re === undefined) return
    if (code !== 'UNAVAILABLE' || request.encoded.type !== 'publish') {
      const known = outcome === 'unknown' || outcome === 'unsent' ? outcome : undefined
      this.settle(re, () => request.reject(new RequestError(code, message, { retryAfterMs, outcome: known })))
      return
    }
    this.#bySeq.delete(re)
    request.isSent = false
    // PROTOCOL §7.1: an absent outcome counts as unknown.
    request.mayHaveRun ||= outcome !== 'unsent'
    request.refusal = error
    const { default: preset, min, max } = repeatAfterMs
    const afterMs = Math.min(Math.max(retryAfterMs ?? preset, min), max)
    request.repeatTimer = this.#platform.setTimer(() => send(request), afterMs)
  }

  /** The session is over. @returns the requests to send in the next one */
  restart(): readonly Request[] {
    this.#bySeq = new Map()
    for (const request of this.#pending) {
      this.#platform.clearTimer(request.repeatTimer)
      request.mayHaveRun ||= request.isSent
      request.isSent = false
    }
    return [...this.#pending]
  }

  /** Whether a request has never been sent, or waits to be sent again. */
  get hasUnsent(): boolean {
    return [...this.#pending].some(({ isSent }) => !isSent)
  }

  /** A request cannot be sent in this session: its gateway would refuse it. */
  reject(request: Request, error: RequestError): void {
    this.#remove(request)
    request.reject(error)
  }

  /** Rejects all requests. */
  rejectAll(code: string, message: string): void {
    for (const request of this.restart()) {
      this.#remove(request)
      request.reject(new RequestError(code, message, { outcome: outcomeOf(request) }))
    }
  }

  #remove(request: Request): void {
    this.#pending.delete(request)
    this.#platform.clearTimer(request.timer)
    this.#platform.clearTimer(request.repeatTimer)
  }
}
