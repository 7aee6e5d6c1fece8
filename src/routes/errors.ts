import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError, type ApiErrorCode, type ApiErrorDetails, apiErrors } from '../errors.js'
import { noteRefusal } from '../http/request-log.js'
import type { BoundedLog } from '../log/bounded-log.js'
import { RateLimited } from '../protocol/protocol-error.js'
import { ImportError } from '../registry/imports.js'
import { RegistryError } from '../registry/records.js'
import { ShareExceeded, StoreDamaged, StoreUnavailable } from '../store/store.js'

/** Sends every error of the HTTP API as `{code, message}` with its status. */

/** Fastify's own error codes that are useful to a caller. */
const fastifyCodes: Readonly<Record<string, ApiErrorCode>> = {
  FST_ERR_VALIDATION: 'BAD_REQUEST',
  FST_ERR_CTP_INVALID_JSON_BODY: 'BAD_REQUEST',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'BAD_REQUEST',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'BAD_REQUEST',
  FST_ERR_CTP_BODY_TOO_LARGE: 'PAYLOAD_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE'
}

/** `retry-after` of a 503, in seconds. */
const unavailableRetrySeconds = 1

interface ErrorResponse {
  readonly status: number
  readonly body: ApiErrorDetails & { readonly code: string; readonly message: string }
}

type FastifyFailure = Error & { readonly code?: string; readonly statusCode?: number }

function responseFor(code: ApiErrorCode, message?: string, details: ApiErrorDetails = {}): ErrorResponse {
  const { status, message: general } = apiErrors[code]
  return { status, body: { code, message: message ?? general, ...details } }
}

/** The cause names what is lost, which helps the caller of a list; a retry does not. */
function causeOf({ cause }: StoreDamaged): string | undefined {
  return cause instanceof Error ? cause.message : undefined
}

function responseTo(error: FastifyFailure): ErrorResponse {
  if (error instanceof ApiError) return responseFor(error.code, error.message, error.details)
  if (error instanceof RateLimited) return responseFor('RATE_LIMITED', error.message)
  if (error instanceof ShareExceeded) return responseFor('RATE_LIMITED', `too many ${error.what}: try again later`)
  if (error instanceof StoreDamaged) return responseFor('UNAVAILABLE', causeOf(error), { outcome: error.outcome })
  if (error instanceof StoreUnavailable) return responseFor('UNAVAILABLE', undefined, { outcome: error.outcome })
  if (error instanceof ImportError) return responseFor(error.code, error.message, { index: error.index })
  if (error instanceof RegistryError) return responseFor(error.code, error.message)
  return responseToFramework(error)
}

function responseToFramework({ statusCode = 500, code = '', message }: FastifyFailure): ErrorResponse {
  if (statusCode === 429) return responseFor('RATE_LIMITED')
  const known = fastifyCodes[code]
  // Fastify's message does not name the expected type.
  if (known === 'UNSUPPORTED_MEDIA_TYPE') return responseFor(known)
  if (known !== undefined) return responseFor(known, message)
  if (statusCode >= 500) return responseFor('INTERNAL')
  return { status: statusCode, body: { code: code.startsWith('FST_') || code === '' ? 'BAD_REQUEST' : code, message } }
}

export interface ErrorOptions {
  /** Bounds the log lines about failures of the gateway and of the store. */
  readonly boundedLog: Pick<BoundedLog, 'requests' | 'storeFailed'>
  /** Whether requests to paths that do not exist are limited by address. */
  readonly rateLimit: boolean
}

async function errors(app: FastifyInstance, { boundedLog, rateLimit }: ErrorOptions): Promise<void> {
  app.setErrorHandler((error: Error, request: FastifyRequest, reply: FastifyReply) => {
    const { status, body } = responseTo(error)
    // Only the answer quotes the path: it may be a hwid, or contain a secret by mistake.
    const reason = body.code === 'NOT_FOUND' ? undefined : body.message
    noteRefusal(request, { code: body.code, reason })
    if (error instanceof StoreUnavailable) boundedLog.storeFailed('requests', error)
    if (body.code === 'INTERNAL') {
      boundedLog.requests.record(error.name, () => request.log.error({ err: error }, 'request failed'))
    }
    if (error instanceof RateLimited) reply.header('retry-after', Math.ceil(error.retryAfterMs / 1000))
    if (status === 503 && !reply.hasHeader('retry-after')) reply.header('retry-after', unavailableRetrySeconds)
    return reply.code(status).send(body)
  })
  app.setNotFoundHandler(rateLimit ? { preHandler: app.rateLimit() } : {}, (request, reply) => {
    const { status, body } = responseFor('NOT_FOUND')
    noteRefusal(request, { code: body.code })
    return reply.code(status).send(body)
  })
}

/** Register it after the rate limit. */
export default fp(errors, { name: 'countersign-errors', fastify: '5.x' })
