import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { createAddressLimiter } from '../auth/address-limiter.js'
import type { HandshakeLimiter } from '../auth/handshake-limiter.js'
import type { Drain } from '../cluster/drain.js'
import { ApiError } from '../errors.js'
import type { ReadBody } from '../http/body-reader.js'
import { noteRefusal } from '../http/request-log.js'
import { markVerified } from '../http/unverified-sockets.js'
import type { RepeatedEvents } from '../log/repeated-events.js'
import { authenticateBytes } from '../protocol/limits.js'
import { retryAfterMs } from '../protocol/retry.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { whenReady } from '../store/maybe-promise.js'
import { type ExchangeAnswer, refusedRequest, unsignedAnswer } from './answer.js'
import { admitExchange, answerExchange, bodyOf, type ExchangeRequest } from './exchange-route.js'
import { challenge, type HandshakeContext, openSession } from './handshake.js'
import { BridgeLifecycle } from './lifecycle.js'
import type { BridgeSessions } from './sessions.js'
import { type BridgeSettings, unverifiedPerMinute } from './settings.js'

/** The HTTP long poll as a transport (PROTOCOL §9): three routes, which read bytes whatever their content type. */

export interface BridgeOptions {
  readonly dependencies: SessionDependencies
  readonly sessions: BridgeSessions
  readonly limiter: HandshakeLimiter
  readonly drain: Drain
  readonly settings: BridgeSettings
  /** Whether unverified requests are limited by address. */
  readonly rateLimit: boolean
  readonly readBody: ReadBody
  /** Bounds the log lines about refused exchanges. */
  readonly refused: RepeatedEvents
}

/** Bodies are read to a little more than the limit, so that a batch slightly above it gets a signed answer. */
const bodySlackBytes = 4096

/** Answers a path below the bridge's prefix that cannot be routed: it contains no valid session id. */
export function refuseBridgePath(reply: FastifyReply): FastifyReply {
  return sendAnswer(reply, unsignedAnswer('SESSION_NOT_FOUND'))
}

function sendAnswer(reply: FastifyReply, { status, code, body, retryAfterSeconds }: ExchangeAnswer): FastifyReply {
  if (code !== undefined) noteRefusal(reply.request, { code })
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds)
  return reply.code(status).type('application/x-ndjson').send(body)
}

type SendAnswer = (reply: FastifyReply, answer: ExchangeAnswer) => FastifyReply

export default async function bridge(app: FastifyInstance, options: BridgeOptions): Promise<void> {
  const { dependencies, sessions, limiter, drain, settings, rateLimit } = options
  const lifecycle = new BridgeLifecycle(reason => sessions.wakeHeldPolls(reason))
  const unverified = createAddressLimiter(dependencies.steadyNow, rateLimit ? unverifiedPerMinute : 0)
  const { batchBytes } = dependencies.settings.limits

  drain.register(lifecycle)
  readBytes(app, options.readBody)
  answerErrors(app, send)
  // Log lines carry the session's id; a logger for each request would cost as much as signing its answer.
  app.setChildLoggerFactory(logger => logger)
  app.addHook('preClose', async () => lifecycle.close())
  app.addHook('onClose', () => sessions.stop())

  function send(reply: FastifyReply, answer: ExchangeAnswer): FastifyReply {
    if (lifecycle.isDraining) reply.header('connection', 'close')
    return sendAnswer(reply, answer)
  }

  function handshakeOf({ ip }: FastifyRequest): HandshakeContext {
    return { dependencies, settings, sessions, lifecycle, limiter, remoteAddress: ip }
  }

  const handshake = {
    // Limited by the outcome of the handshake: a start costs no more than a refusal, and others share its address.
    config: { rateLimit: false },
    bodyLimit: authenticateBytes + bodySlackBytes
  }
  app.post('/challenge', handshake, async (request, reply) => send(reply, await challenge(handshakeOf(request))))
  app.post('/sessions', handshake, async (request, reply) => {
    const answer = await openSession(handshakeOf(request), bodyOf(request))
    if (answer.status === 201) markVerified(request.raw.socket)
    return send(reply, answer)
  })
  const exchangeOptions = { dependencies, settings, sessions, lifecycle, unverified, refused: options.refused }
  app.post(
    '/sessions/:sessionId/exchange',
    {
      // Limited per session after verification, since game servers share addresses.
      config: { rateLimit: false },
      bodyLimit: batchBytes + bodySlackBytes,
      onRequest: (request: ExchangeRequest, reply, done) =>
        admitExchange(exchangeOptions, request, (error, refusal) =>
          refusal === undefined ? done(error) : void send(reply, refusal)
        )
    },
    (request: ExchangeRequest, reply) =>
      whenReady(answerExchange(exchangeOptions, request, reply), answer => void send(reply, answer))
  )
}

/**
 * The content type that every body is treated as. A type without a parser, or a missing one, is parsed again for each
 * request.
 */
const contentType = 'application/octet-stream'

/** Bodies are read as bytes, whatever their content type; a content encoding is refused. */
function readBytes(app: FastifyInstance, readBody: ReadBody): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(contentType, readBody)
  app.addHook('onRequest', (request, reply, done) => {
    // A malformed content type is ignored too.
    request.raw.headers['content-type'] = contentType
    if (request.headers['content-encoding'] === undefined) done()
    else {
      const message = 'content-encoding is not supported: send the frames uncompressed'
      sendAnswer(reply, refusedRequest(415, 'UNSUPPORTED_MEDIA_TYPE', message))
    }
  })
}

/** Requests that are refused before a route sees them get the body of PROTOCOL §4.4 too. */
function answerErrors(app: FastifyInstance, send: SendAnswer): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const { statusCode = 500 } = error
    if (error instanceof ApiError) return send(reply, answerTo(error))
    if (statusCode < 500) return send(reply, unsignedAnswer('PROTOCOL_ERROR'))
    request.log.error({ err: error }, 'request failed')
    return send(reply, unsignedAnswer('INTERNAL'))
  })
}

function answerTo({ code, statusCode, message }: ApiError): ExchangeAnswer {
  switch (code) {
    case 'PAYLOAD_TOO_LARGE':
      return unsignedAnswer('FRAME_TOO_LARGE')
    case 'RATE_LIMITED':
      return unsignedAnswer('RATE_LIMITED')
    case 'UNAVAILABLE':
      return unsignedAnswer('UNAVAILABLE', retryAfterMs, 'unsent')
    case 'BAD_REQUEST':
      return refusedRequest(400, 'PROTOCOL_ERROR', message)
    default:
      return refusedRequest(statusCode, code, message)
  }
}
