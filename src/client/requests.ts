import type { Downstream } from '../protocol/messages.js'
import type { Platform } from './options.js'

/** Bound of concurrent requests. */
export const maxPendingRequests = 256

/** A request was refused, timed out, or its client was closed. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  /** A code of PROTOCOL §7.3, or TIMEOUT, CLOSED, TOO_MANY. */
  readonly code: string
  /** The earliest time to repeat the request, in milliseconds from its answer. */
  readonly retryAfterMs: number | undefined

  constructor(code: string, message: string, retryAfterMs?: number) {
    super(message)
    this.code = code
    this.retryAfterMs = retryAfterMs
  }
}

export interface Request {
  readonly message: { readonly type: string; readonly [member: string]: unknown }
  resolve(answer: Downstream): void
  reject(error: RequestError): void
  timer: unknown
}

/**
 * The requests that are not answered yet. All of them may be repeated (PROTOCOL §5.4), so those of a session that ended are
 * sent in the next one, until they time out.
 */
export class Requests {
  readonly #platform: Pick<Platform, 'setTimer' | 'clearTimer'>
  readonly #pending = new Set<Request>()
  #bySeq = new Map<number, Request>()

  constructor(platform: Pick<Platform, 'setTimer' | 'clearTimer'>) {
    this.#platform = platform
  }

  /**
   * Opens a request.
   * @param send  called at once; sends the request if there is a session. {@link restart} returns it for the next one
   * @returns the answer; rejects with RequestError
   */
  open(message: Request['message'], timeoutMs: number, send: (request: Request) => void): Promise<Downstream> {
    return new Promise((resolve, reject) => {
      if (this.#pending.size >= maxPendingRequests) {
        return reject(new RequestError('TOO_MANY', `${maxPendingRequests} requests are pending already`))
      }
      const request: Request = { message, resolve, reject, timer: undefined }
      request.timer = this.#platform.setTimer(() => {
        this.#pending.delete(request)
        reject(new RequestError('TIMEOUT', `no answer within ${timeoutMs} ms`))
      }, timeoutMs)
      this.#pending.add(request)
      send(request)
    })
  }

  /** A request was sent in the current session with this `seq`. */
  onSent(request: Request, seq: number): void {
    this.#bySeq.set(seq, request)
  }

  /** Settles the request with the `seq` that an answer refers to. */
  settle(re: number | undefined, settle: (request: Request) => void): void {
    const request = re === undefined ? undefined : this.#bySeq.get(re)
    if (request === undefined || re === undefined) return
    this.#bySeq.delete(re)
    this.#pending.delete(request)
    this.#platform.clearTimer(request.timer)
    settle(request)
  }

  /** The session is over. @returns the requests to send in the next one */
  restart(): readonly Request[] {
    this.#bySeq = new Map()
    return [...this.#pending]
  }

  /** Rejects all requests. */
  rejectAll(error: RequestError): void {
    for (const request of this.restart()) {
      this.#platform.clearTimer(request.timer)
      request.reject(error)
    }
    this.#pending.clear()
  }
}
