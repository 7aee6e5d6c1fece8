import type { Downstream } from '../protocol/messages.js'

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
  readonly #waiting = new Set<Request>()
  #bySeq = new Map<number, Request>()

  get size(): number {
    return this.#waiting.size
  }

  add(request: Request): void {
    this.#waiting.add(request)
  }

  sentAs(request: Request, seq: number): void {
    this.#bySeq.set(seq, request)
  }

  /** The request that an answer's `re` names; it is done. */
  take(re: number | undefined): Request | undefined {
    const request = re === undefined ? undefined : this.#bySeq.get(re)
    if (request !== undefined && re !== undefined) {
      this.#bySeq.delete(re)
      this.#waiting.delete(request)
    }
    return request
  }

  drop(request: Request): void {
    this.#waiting.delete(request)
  }

  /** The session is over: nothing that it was asked will be answered there. @returns what is to be asked again */
  restart(): readonly Request[] {
    this.#bySeq = new Map()
    return [...this.#waiting]
  }
}
