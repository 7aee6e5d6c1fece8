import type { Downstream } from '../protocol/messages.js'
import type { Platform } from './options.js'

/** Requests that wait for an answer at one time. */
export const maxPendingRequests = 256

/** A request was refused, came to nothing in time, or its client was closed. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  /** The gateway's code, or TIMEOUT, CLOSED, TOO_MANY. */
  readonly code: string
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
 * What was asked and not yet answered. Requests here may be repeated freely (PROTOCOL §5), so those of a session that
 * ended go out again in the next one, until their time is up.
 */
export class Requests {
  readonly #platform: Pick<Platform, 'setTimer' | 'clearTimer'>
  readonly #waiting = new Set<Request>()
  #bySeq = new Map<number, Request>()

  constructor(platform: Pick<Platform, 'setTimer' | 'clearTimer'>) {
    this.#platform = platform
  }

  /**
   * Something to be asked, until its answer comes or its time is up.
   * @param ask  sends it where there is a session; {@link restart} hands it out again for the next one
   */
  open(message: Request['message'], timeoutMs: number, ask: (request: Request) => void): Promise<Downstream> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.size >= maxPendingRequests) {
        return reject(new RequestError('TOO_MANY', `${maxPendingRequests} requests wait already`))
      }
      const request: Request = { message, resolve, reject, timer: undefined }
      request.timer = this.#platform.setTimer(() => {
        this.#waiting.delete(request)
        reject(new RequestError('TIMEOUT', `no answer within ${timeoutMs} ms`))
      }, timeoutMs)
      this.#waiting.add(request)
      ask(request)
    })
  }

  sentAs(request: Request, seq: number): void {
    this.#bySeq.set(seq, request)
  }

  /** Settles the request that an answer's `re` names. */
  settle(re: number | undefined, settle: (request: Request) => void): void {
    const request = re === undefined ? undefined : this.#bySeq.get(re)
    if (request === undefined || re === undefined) return
    this.#bySeq.delete(re)
    this.#waiting.delete(request)
    this.#platform.clearTimer(request.timer)
    settle(request)
  }

  /** The session is over: nothing that it was asked will be answered there. @returns what is to be asked again */
  restart(): readonly Request[] {
    this.#bySeq = new Map()
    return [...this.#waiting]
  }

  /** Nothing will be asked any more. */
  rejectAll(error: RequestError): void {
    for (const request of this.restart()) {
      this.#platform.clearTimer(request.timer)
      request.reject(error)
    }
    this.#waiting.clear()
  }
}
