/** Whether a failed request may have taken effect. */
export type RequestOutcome = 'unknown' | 'unsent'

export interface RequestErrorDetails {
  readonly retryAfterMs?: number | undefined
  readonly outcome?: RequestOutcome | undefined
  readonly path?: string | undefined
}

/** A request was refused, here or by the gateway, timed out, or its client was closed. */
export class RequestError extends Error {
  override readonly name: string = 'RequestError'
  /** A code of the gateway (PROTOCOL §7.3), or TIMEOUT, CLOSED, TOO_MANY. */
  readonly code: string
  /** The earliest time to repeat the request, in milliseconds from its answer. */
  readonly retryAfterMs: number | undefined
  /** With UNAVAILABLE, TIMEOUT and CLOSED: `unsent` only if the request certainly had no effect. */
  readonly outcome: RequestOutcome | undefined
  /** With INVALID_MESSAGE and INVALID_CHANNEL: the place of the fault, such as `data.players[3].name`. */
  readonly path: string | undefined

  constructor(code: string, message: string, { retryAfterMs, outcome, path }: RequestErrorDetails = {}) {
    super(message)
    this.code = code
    this.retryAfterMs = retryAfterMs
    this.outcome = outcome
    this.path = path
  }
}

/** The receiver's error. */
export interface CallFailure {
  readonly code: string
  readonly message: string
}

/** A call of a method failed. */
export class CallError extends RequestError {
  override readonly name: string = 'CallError'
  /** With CALL_FAILED: the receiver's error. */
  readonly error: CallFailure | undefined

  constructor(
    code: string,
    message: string,
    details: RequestErrorDetails & { readonly error?: CallFailure | undefined } = {}
  ) {
    super(code, message, details)
    this.error = details.error
  }
}

/** A request that the gateway would refuse: it is not sent. */
export function invalid(path: string, fault: string, code = 'INVALID_MESSAGE'): RequestError {
  return new RequestError(code, `${path}: ${fault}`, { path, outcome: 'unsent' })
}

/** The message of a caught value: anything that an application throws, even if it cannot be read. */
export function reasonOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message || error.name : error)
  } catch {
    return 'a value that cannot be shown'
  }
}
