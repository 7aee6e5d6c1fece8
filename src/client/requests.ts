import type { Downstream, DownstreamMessages } from '../protocol/messages.js'
import type { Encoded } from './encode.js'
import { CallError, RequestError, type RequestOutcome } from './errors.js'
import type { Platform } from './options.js'
import { repeatMs } from './timing.js'

/** Bound of concurrent requests. */
export const maxPendingRequests = 256

type ErrorMessage = DownstreamMessages['error']

export interface Request {
  readonly encoded: Encoded
  resolve(answer: Downstream): void
  reject(error: RequestError): void
  timer?: unknown
  /** Delay until an unavailable request is sent again. */
  repeatTimer?: unknown
  /** Sent in the current session, without an answer there. */
  isSent: boolean
  /** Whether an earlier attempt may have run. */
  mayHaveRun: boolean
  /** The answer to the last attempt, if it was UNAVAILABLE. */
  refusal?: ErrorMessage | undefined
}

export interface RequestsHost extends Pick<Platform, 'setTimer' | 'clearTimer'> {
  /**
   * Sends a request in the current session.
   * @returns its `seq`; undefined without a session
   * @throws RequestError if the gateway would refuse it for its size
   */
  send(encoded: Encoded): number | undefined
  /** A request was sent, or could not be. */
  onSent(): void
  /** Why there is no session; undefined if there is one. */
  causeOfNoSession(): string | undefined
}

/** These have an idempotency key, and a repeat by the caller would have another one. */
const repeated: readonly string[] = ['publish', 'call']

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

/** @param known  whether an attempt may have run */
function errorOf(
  { code, message, retryAfterMs, error }: ErrorMessage,
  outcome: RequestOutcome | undefined
): RequestError {
  const details = { retryAfterMs, outcome }
  return error === undefined
    ? new RequestError(code, message, details)
    : new CallError(code, message, { ...details, error })
}

/**
 * Unanswered requests. All of them may be repeated (PROTOCOL §5.4), so those of a session that ended are sent in the
 * next one, until they time out. A publish or call that is answered UNAVAILABLE may have run (PROTOCOL §7.1), so it is
 * repeated too, with the idempotency key of its first attempt: a repeat by the caller would have another key.
 */
export class Requests {
  readonly #host: RequestsHost
  readonly #pending = new Set<Request>()
  #bySeq = new Map<number, Request>()

  constructor(host: RequestsHost) {
    this.#host = host
  }

  /**
   * Opens a request, and sends it if there is a session.
   * @returns the answer; rejects with RequestError
   */
  open(encoded: Encoded, timeoutMs: number): Promise<Downstream> {
    return new Promise((resolve, reject) => {
      if (this.#pending.size >= maxPendingRequests) {
        return reject(
          new RequestError('TOO_MANY', `${maxPendingRequests} requests are pending already`, { outcome: 'unsent' })
        )
      }
      const request: Request = { encoded, resolve, reject, isSent: false, mayHaveRun: false }
      request.timer = this.#host.setTimer(
        () => this.#reject(request, timeoutError(request, timeoutMs, this.#host.causeOfNoSession())),
        timeoutMs
      )
      this.#pending.add(request)
      this.#send(request)
    })
  }

  #send(request: Request): void {
    try {
      const seq = this.#host.send(request.encoded)
      if (seq === undefined) return
      request.isSent = true
      request.refusal = undefined
      this.#bySeq.set(seq, request)
    } catch (error) {
      // The gateway of this session would refuse it.
      if (!(error instanceof RequestError)) throw error
      this.#reject(request, error)
    }
    this.#host.onSent()
  }

  /** An answer to the request `re`. */
  settle(re: number, answer: Downstream): void {
    const request = this.#bySeq.get(re)
    if (request === undefined) return
    this.#bySeq.delete(re)
    this.#remove(request)
    request.resolve(answer)
  }

  /** An error answers the request `re`. A publish or call that is UNAVAILABLE is sent again, until it times out. */
  refuse(error: ErrorMessage): void {
    const { re, code, retryAfterMs, outcome } = error
    const request = re === undefined ? undefined : this.#bySeq.get(re)
    if (request === undefined || re === undefined) return
    this.#bySeq.delete(re)
    if (code !== 'UNAVAILABLE' || !repeated.includes(request.encoded.type)) {
      const known = outcome === 'unknown' || outcome === 'unsent' ? outcome : undefined
      this.#reject(request, errorOf(error, known))
      return
    }
    request.isSent = false
    // PROTOCOL §7.1: an absent outcome counts as unknown.
    request.mayHaveRun ||= outcome !== 'unsent'
    request.refusal = error
    request.repeatTimer = this.#host.setTimer(() => this.#send(request), repeatMs(retryAfterMs))
  }

  /** Another session was opened: sends the open requests in it. */
  restart(): void {
    this.#forgetSession()
    for (const request of [...this.#pending]) this.#send(request)
  }

  #forgetSession(): void {
    this.#bySeq = new Map()
    for (const request of this.#pending) {
      this.#host.clearTimer(request.repeatTimer)
      request.mayHaveRun ||= request.isSent
      request.isSent = false
    }
  }

  /** Whether a request was never sent, or waits to be sent again. */
  get hasUnsent(): boolean {
    return [...this.#pending].some(({ isSent }) => !isSent)
  }

  /** Rejects all requests. */
  rejectAll(code: string, message: string): void {
    this.#forgetSession()
    for (const request of [...this.#pending]) {
      this.#reject(request, new RequestError(code, message, { outcome: outcomeOf(request) }))
    }
  }

  #reject(request: Request, error: RequestError): void {
    this.#remove(request)
    request.reject(error)
  }

  #remove(request: Request): void {
    this.#pending.delete(request)
    this.#host.clearTimer(request.timer)
    this.#host.clearTimer(request.repeatTimer)
  }
}
