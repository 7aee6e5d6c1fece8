import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { HandshakeLimiter } from '../auth/handshake-limiter.js'
import type { Drain } from '../cluster/drain.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { type ExchangeAnswer, unsignedAnswer } from './answer.js'
import { answerExchange, bodyOf, type ExchangeRequest } from './exchange-route.js'
import { challenge, type HandshakeContext, openSession } from './handshake.js'
import { BridgeLifecycle } from './lifecycle.js'
import type { BridgeSessions } from './sessions.js'
import type { BridgeSettings } from './settings.js'
import { createUnverifiedRequestLimiter } from './unverified-request-limiter.js'

/** The HTTP long poll as a transport (PROTOCOL §9): three routes, which read bytes whatever their content type. */

export interface BridgeOptions {
  readonly dependencies: SessionDependencies
  readonly sessions: BridgeSessions
  readonly limiter: HandshakeLimiter
  readonly drain: Drain
  readonly settings: BridgeSettings
  /** Handshakes of one address in a minute; undefined: unlimited, as are requests that do not verify. */
  readonly handshakesPerMinute: number | undefined
}

/** Bodies are read to a little more than the limit, so that a batch slightly above it gets a signed answer. */
const bodySlackBytes = 4096

/** Answers a path below the bridge's prefix that cannot be routed: it holds no valid session id. */
export function refuseBridgePath(reply: FastifyReply): FastifyReply {
  reply.header('cache-control', 'no-store')
  return sendAnswer(reply, unsignedAnswer('SESSION_NOT_FOUND'))
}

function sendAnswer(reply: FastifyReply, { status, body, retryAfterSeconds }: ExchangeAnswer): FastifyReply {
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds)
  return reply.code(status).type('application/x-ndjson').send(body)
}

type SendAnswer = (reply: FastifyReply, answer: ExchangeAnswer) => FastifyReply

export default async function bridge(app: FastifyInstance, options: BridgeOptions): Promise<void> {
  const { dependencies, sessions, limiter, drain, settings, handshakesPerMinute } = options
  const lifecycle = new BridgeLifecycle(reason => sessions.wakeHeldPolls(reason))
  const unverified = createUnverifiedRequestLimiter(dependencies.now, handshakesPerMinute === undefined ? 0 : undefined)
  const { batchBytes } = dependencies.settings.limits

  drain.register(lifecycle)
  readBytes(app)
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

  const handshake =
    handshakesPerMinute === undefined ? {} : { rateLimit: { max: handshakesPerMinute, timeWindow: 60_000 } }
  app.post('/challenge', { config: handshake }, async (request, reply) =>
    send(reply, await challenge(handshakeOf(request)))
  )
  app.post('/sessions', { config: handshake }, async (request, reply) =>
    send(reply, await openSession(handshakeOf(request), bodyOf(request)))
  )
  const exchangeOptions = { dependencies, settings, sessions, lifecycle, unverified }
  app.post(
    '/sessions/:sessionId/exchange',
    // Limited per session once it verified, since game servers share addresses.
    { config: { rateLimit: false }, bodyLimit: batchBytes + bodySlackBytes },
    async (request: ExchangeRequest, reply) => send(reply, await answerExchange(exchangeOptions, request, reply))
  )
}

/** Bodies are read as bytes, whatever their content type; a content encoding is refused. */
function readBytes(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('cache-control', 'no-store')
    // A malformed content type is ignored too. Deleting the header would slow down every later access to the headers.
    request.raw.headers['content-type'] = undefined
    if (request.headers['content-encoding'] === undefined) done()
    else {
      const message = 'content-encoding is not supported: send the frames uncompressed'
      reply.code(415).send({ type: 'error', code: 'UNSUPPORTED_MEDIA_TYPE', message })
    }
  })
}

/** Requests that the framework refuses before a route sees them get the body of PROTOCOL §4.4 too. */
function answerErrors(app: FastifyInstance, send: SendAnswer): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const { code, statusCode = 500 } = error
    if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return send(reply, unsignedAnswer('FRAME_TOO_LARGE'))
    if (statusCode === 429) return send(reply, unsignedAnswer('RATE_LIMITED'))
    if (statusCode < 500) return send(reply, unsignedAnswer('PROTOCOL_ERROR'))
    request.log.error({ err: error }, 'request failed')
    return send(reply, unsignedAnswer('INTERNAL'))
  })
}
