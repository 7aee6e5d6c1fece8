import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError, type ApiErrorCode, apiErrors } from '../errors.js'
import { ImportError } from '../registry/imports.js'
import { RegistryError } from '../registry/records.js'
import { StoreUnavailable } from '../store/store.js'

/** Every error of the HTTP API leaves as `{code, message}` with the right status. */

// Fastify's own codes that mean something to a caller.
const fastifyCodes: Readonly<Record<string, ApiErrorCode>> = {
  FST_ERR_VALIDATION: 'BAD_REQUEST',
  FST_ERR_CTP_INVALID_JSON_BODY: 'BAD_REQUEST',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'BAD_REQUEST',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'BAD_REQUEST',
  FST_ERR_CTP_BODY_TOO_LARGE: 'PAYLOAD_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE'
}

/** When to come again after a 503. */
const unavailableRetrySeconds = 1

interface Answer {
  readonly status: number
  readonly code: string
  readonly message: string
}

function answerTo(error: Error & { code?: string; statusCode?: number }): Answer {
  if (error instanceof ApiError) return { status: error.statusCode, code: error.code, message: error.message }
  if (error instanceof StoreUnavailable) return { ...apiErrors.UNAVAILABLE, code: 'UNAVAILABLE' }
  if (error instanceof RegistryError) {
    return { status: apiErrors[error.code].status, code: error.code, message: error.message }
  }
  const { statusCode = 500, code: name = '' } = error
  if (statusCode === 429) return { ...apiErrors.RATE_LIMITED, code: 'RATE_LIMITED' }
  const known = fastifyCodes[name]
  if (known !== undefined) return { status: apiErrors[known].status, code: known, message: error.message }
  if (statusCode < 500) {
    return {
      status: statusCode,
      code: name.startsWith('FST_') || name === '' ? 'BAD_REQUEST' : name,
      message: error.message
    }
  }
  return { ...apiErrors.INTERNAL, code: 'INTERNAL' }
}

async function errors(app: FastifyInstance): Promise<void> {
  app.setErrorHandler((error: Error, request: FastifyRequest, reply: FastifyReply) => {
    const { status, code, message } = answerTo(error)
    if (status >= 500 && code === 'INTERNAL') request.log.error({ err: error }, 'a request failed')
    else request.log.info({ code, reason: message, cause: error.cause }, 'a request was refused')
    if (status === 503 && !reply.hasHeader('retry-after')) reply.header('retry-after', unavailableRetrySeconds)
    const index = error instanceof ApiError || error instanceof ImportError ? error.index : undefined
    return reply.code(status).send({ code, message, ...(index === undefined ? {} : { index }) })
  })
  app.setNotFoundHandler((_request, reply) => {
    const { status, message } = apiErrors.NOT_FOUND
    return reply.code(status).send({ code: 'NOT_FOUND', message })
  })
}

export default fp(errors, { name: 'countersign-errors', fastify: '5.x' })
