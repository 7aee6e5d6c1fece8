/**
 * Errors of the HTTP API: each is sent as `{code, message}` with its status. The wire protocol has its own table in
 * `protocol/codes.ts`; a code that is in both has the same status.
 */
export const apiErrors = {
  BAD_REQUEST: { status: 400, message: 'the request does not match the API reference' },
  UNSUPPORTED_PROTOCOL: { status: 400, message: 'offer the subprotocol countersign.v1, or none' },
  UNAUTHORIZED: { status: 401, message: 'the request needs a bearer token' },
  PERMISSION_DENIED: { status: 403, message: 'the token does not allow this' },
  INSECURE_TRANSPORT: {
    status: 403,
    message: 'refused over plain HTTP: use https, a trusted proxy (COUNTERSIGN_TRUST_PROXY) or loopback'
  },
  NOT_FOUND: { status: 404, message: 'the path or the object does not exist' },
  NO_RECEIVER: { status: 404, message: 'there is no such live session: nothing ran' },
  REQUEST_TIMEOUT: { status: 408, message: 'the request did not arrive completely in time' },
  CONFLICT: { status: 409, message: 'the object already exists, or its state does not allow this' },
  PAYLOAD_TOO_LARGE: { status: 413, message: 'the body is too large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, message: 'the body must be application/json' },
  HEADERS_TOO_LARGE: { status: 431, message: 'the headers are too large' },
  RATE_LIMITED: { status: 429, message: 'too many requests: wait for the seconds in retry-after' },
  INTERNAL: { status: 500, message: 'the gateway failed: its log has the cause' },
  CALL_FAILED: { status: 502, message: 'the receiver answered with an error' },
  UNAVAILABLE: { status: 503, message: 'the gateway cannot serve this request now: try again' },
  DRAINING: { status: 503, message: 'this instance is stopping: reconnect' },
  CALL_TIMEOUT: { status: 504, message: 'no answer in time: it may have run' }
} as const satisfies Record<string, { status: number; message: string }>

export type ApiErrorCode = keyof typeof apiErrors

export interface ApiErrorDetails {
  /** Position of the refused item in a list, from 0. */
  readonly index?: number
  /** With UNAVAILABLE and CALL_TIMEOUT: whether the request may have taken effect. */
  readonly outcome?: 'unknown' | 'unsent'
  /** With CALL_FAILED: the receiver's answer. */
  readonly error?: { readonly code: string; readonly message: string }
}

/** The HTTP API refuses a request. The message is sent to the caller and states what to do. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ApiErrorCode
  readonly statusCode: number
  readonly details: ApiErrorDetails

  constructor(code: ApiErrorCode, message: string = apiErrors[code].message, details: ApiErrorDetails = {}) {
    super(message)
    this.code = code
    this.statusCode = apiErrors[code].status
    this.details = details
  }
}
