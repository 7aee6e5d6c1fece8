/**
 * The table of the HTTP API's errors: `{code, message}` with a status. The wire's own codes are in
 * `protocol/codes.ts`; where a name stands in both, the status is the same.
 */
export const apiErrors = {
  BAD_REQUEST: { status: 400, message: 'the request is not as the reference says' },
  UNSUPPORTED_PROTOCOL: { status: 400, message: 'offer the subprotocol countersign.v1, or none' },
  UNAUTHORIZED: { status: 401, message: 'a bearer token is needed' },
  PERMISSION_DENIED: { status: 403, message: 'not allowed' },
  INSECURE_TRANSPORT: {
    status: 403,
    message: 'refused over plain HTTP: use https, a trusted proxy (COUNTERSIGN_TRUST_PROXY) or loopback'
  },
  NOT_FOUND: { status: 404, message: 'there is no such thing' },
  CONFLICT: { status: 409, message: 'it exists already' },
  PAYLOAD_TOO_LARGE: { status: 413, message: 'the body is too large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, message: 'the body must be application/json' },
  RATE_LIMITED: { status: 429, message: 'too many, slow down' },
  INTERNAL: { status: 500, message: 'a fault of the gateway, see its log' },
  UNAVAILABLE: { status: 503, message: 'not possible right now, try again' },
  DRAINING: { status: 503, message: 'this instance is stopping, reconnect' }
} as const satisfies Record<string, { status: number; message: string }>

export type ApiErrorCode = keyof typeof apiErrors

/** A refusal of the HTTP API. `message` is for whoever called, and says what to do. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ApiErrorCode
  readonly statusCode: number
  /** Which of a list is refused. */
  readonly index: number | undefined

  constructor(code: ApiErrorCode, message: string = apiErrors[code].message, index?: number) {
    super(message)
    this.index = index
    this.code = code
    this.statusCode = apiErrors[code].status
  }
}
