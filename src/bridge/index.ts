import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { HandshakeLimiter } from '../auth/handshake-limiter.js'
import type { Drain } from '../cluster/drain.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { StoreUnavailable } from '../store/store.js'
import { type ExchangeAnswer, unsignedAnswer } from './answer.js'
import { exchange } from './exchange.js'
import { challenge, type HandshakeContext, openSession } from './handshake.js'
import type { BridgeSessions } from './sessions.js'
import type { BridgeSettings } from './settings.js'
import { createUnverifiedRequestLimiter } from './unverified-request-limiter.js'

/** The HTTP long poll as a transport (PROTOCOL §9): three routes, which read bytes whatever their content type. */

export interface BridgeOptions {
  readonly dependencies: SessionDependencies
  readonly sessions: BridgeSessions
  readonly brake: HandshakeLimiter
  readonly drain: Drain
  readonly settings: BridgeSettings
  /** Handshakes of one address in a minute; nothing: any number. */
  readonly handshakesPerMinute: number | undefined
}

const sessionIdPattern = /^[A-Za-z0-9_-]{22,64}$/
/** Bodies are read to a little more than the law allows, so that too large a batch gets a signed answer. */
const bodySlack = 4096
/** How long a peer should wait after UNAVAILABLE, in milliseconds. */
const retryAfterMs = 1000

/** A path below the bridge that cannot even be routed: whatever stands there, it is the id of no session. */
export function refuseBridgePath(reply: FastifyReply): FastifyReply {
  const { status, body } = unsignedAnswer('SESSION_NOT_FOUND')
  return reply.code(status).header('cache-control', 'no-store').type('application/x-ndjson').send(body)
}

export default async function bridge(app: FastifyInstance, options: BridgeOptions): Promise<void> {
  const { dependencies, sessions, brake, drain, settings, handshakesPerMinute } = options
  const strangers = createUnverifiedRequestLimiter(dependencies.now, handshakesPerMinute === undefined ? 0 : undefined)
  const { batchBytes } = dependencies.settings.limits

  drain.register(sessions)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  // Lines of a session have its id; a logger a request would cost as much as signing its answer.
  app.setChildLoggerFactory(logger => logger)

  app.addHook('onRequest', (request, reply, done) => {
    reply.header('cache-control', 'no-store')
    // Not even one that is none is judged. (Deleting it would make the headers slow to look at.)
    request.raw.headers['content-type'] = undefined
    if (request.headers['content-encoding'] === undefined) done()
    else {
      const message = 'a content-encoding is not taken: send the frames as they are'
      reply.code(415).send({ type: 'error', code: 'UNSUPPORTED_MEDIA_TYPE', message })
    }
  })

  // What is refused before anybody reads it has the body of §4.4 too.
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const { code, statusCode = 500 } = error
    if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return send(reply, unsignedAnswer('FRAME_TOO_LARGE'))
    if (statusCode === 429) return send(reply, unsignedAnswer('RATE_LIMITED'))
    if (statusCode < 500) return send(reply, unsignedAnswer('PROTOCOL_ERROR'))
    request.log.error({ err: error }, 'a request failed')
    return send(reply, unsignedAnswer('INTERNAL'))
  })

  function send(reply: FastifyReply, { status, body, retryAfterSeconds }: ExchangeAnswer): FastifyReply {
    if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds)
    if (sessions.isDraining) reply.header('connection', 'close')
    return reply.code(status).type('application/x-ndjson').send(body)
  }

  function bodyOf({ body }: FastifyRequest): Uint8Array {
    return body instanceof Uint8Array ? body : new Uint8Array(0)
  }

  function handshakeOf({ ip }: FastifyRequest): HandshakeContext {
    return { dependencies, settings, sessions, brake, remoteAddress: ip }
  }

  const perAddress =
    handshakesPerMinute === undefined ? {} : { rateLimit: { max: handshakesPerMinute, timeWindow: 60_000 } }

  app.post('/challenge', { config: perAddress }, async (request, reply) =>
    send(reply, await challenge(handshakeOf(request)))
  )

  app.post('/sessions', { config: perAddress }, async (request, reply) =>
    send(reply, await openSession(handshakeOf(request), bodyOf(request)))
  )

  app.post<{ Params: { sessionId: string } }>(
    '/sessions/:sessionId/exchange',
    // Limited per session, after it verified; game servers share addresses.
    { config: { rateLimit: false }, bodyLimit: batchBytes + bodySlack },
    async (request, reply) => {
      sessions.noteServed()
      return send(reply, await answer(request, reply))
    }
  )

  async function answer(request: FastifyRequest<{ Params: { sessionId: string } }>, reply: FastifyReply) {
    const { sessionId } = request.params
    try {
      // Whoever shares the address of a flood is served as before: what verifies is never braked, only what does not, and
      // the look-up of sessions that are not known here.
      const waitMs = strangers.retryAfterMs(request.ip)
      const known = sessions.known(sessionId)
      if (known === undefined && waitMs > 0) return unsignedAnswer('RATE_LIMITED', waitMs)
      const found = known ?? (sessionIdPattern.test(sessionId) ? await sessions.find(sessionId) : undefined)
      if (found === undefined) {
        strangers.failed(request.ip)
        return unsignedAnswer('SESSION_NOT_FOUND')
      }
      const context = {
        dependencies,
        settings,
        session: found.session,
        worker: found.worker,
        isDraining: () => sessions.isDraining,
        onGone: (listener: () => void) => void reply.raw.once('close', listener),
        onForeign() {
          strangers.failed(request.ip)
          return waitMs > 0 ? waitMs : undefined
        }
      }
      return await exchange(context, bodyOf(request))
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      dependencies.log.warn({ err: error.cause, sessionId }, 'the store does not answer')
      return unsignedAnswer('UNAVAILABLE', retryAfterMs)
    }
  }

  app.addHook('preClose', async () => sessions.begin())
  app.addHook('onClose', () => sessions.stop())
}
