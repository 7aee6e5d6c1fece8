import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import rateLimit from '@fastify/rate-limit'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { createHandshakeLimiter } from './auth/handshake-limiter.js'
import bridge, { refuseBridgePath } from './bridge/index.js'
import { BridgeSessions } from './bridge/sessions.js'
import { type BridgeSettings, defaultAnswerWithinMs } from './bridge/settings.js'
import { createChannelBroker } from './channels/channel-broker.js'
import { ClusterMember } from './cluster/cluster-member.js'
import { createDrain } from './cluster/drain.js'
import { createPresenceTracker } from './cluster/presence.js'
import type { Config } from './config/load.js'
import { ApiError, apiErrors } from './errors.js'
import { createMetrics } from './metrics.js'
import { defaultLimits, type Limits } from './protocol/limits.js'
import { openRegistry } from './registry/index.js'
import { clientRoutes } from './routes/admin/clients/routes.js'
import { importRoutes } from './routes/admin/imports/routes.js'
import { licenseRoutes } from './routes/admin/licenses/routes.js'
import { presenceRoutes } from './routes/admin/presence/routes.js'
import { sessionRoutes } from './routes/admin/sessions/routes.js'
import { tokenRoutes } from './routes/admin/tokens/routes.js'
import { createAuth } from './routes/auth.js'
import errors from './routes/errors.js'
import { healthRoutes } from './routes/health/routes.js'
import openapi from './routes/openapi.js'
import { pageRoutes } from './routes/pages.js'
import { publishRoutes } from './routes/publish/routes.js'
import { RequestLog } from './routes/request-log.js'
import { ticketRoutes } from './routes/tickets/routes.js'
import { ConnectedSessions, reapGraceMs } from './session/connected-sessions.js'
import type { Log, SessionDependencies } from './session/dependencies.js'
import { SessionRegistry } from './session/session-registry.js'
import type { Store } from './store/store.js'
import ws from './ws/index.js'
import wsServer from './ws/server.js'

/** HTTP bodies of the admin API, in bytes. */
const bodyBytes = 64 * 1024
/** A path's parameter: a hwid of 256 bytes, percent-encoded. */
const maxParamLength = 1024
const bridgePrefix = '/v1/bridge'
/** Requests of one address in a minute to the HTTP API, health and metrics apart. */
const requestsPerMinute = 3000

/** A request's time to arrive whole, in milliseconds. Its answer may take longer: a poll is held. */
const requestTimeoutMs = 30_000
/** Time for requests to end by themselves when the server closes, in milliseconds. */
const stragglersMs = 2000

export interface AppOptions {
  readonly config: Config
  readonly store: Store
  readonly masterKeys: readonly Uint8Array[]
  readonly adminToken: string
  /** A pino logger, or none. */
  readonly logger?: FastifyBaseLogger
  /** Where the build has put the demo page, ending in `/`; absent: no pages are served. */
  readonly pagesFolder?: URL
  /** Unix milliseconds. Default: the system's clock. */
  readonly now?: () => number
  /** How long an exchange of the bridge waits for answers to its own messages. Default: the law's 5 s. */
  readonly bridgeAnswerWithinMs?: number
  /** So many random bytes in base64url. Default: node:crypto. */
  readonly randomText?: (bytes: number) => string
}

export interface App {
  readonly server: FastifyInstance
  /** What time brings, about once a second: dead sessions, signs of life to the store, changes of rights. */
  tick(): Promise<void>
  /** Lets sessions move elsewhere, then closes everything, the store included. */
  stop(): Promise<void>
  /** Sessions of this instance: those of sockets. The bridge's are in the store. */
  sessionCount(): number
  /** Polls of the bridge that are held by this instance. */
  heldPolls(): number
}

const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silentLog }

/** A publication's data is at most half of a frame: the rest is names, escapes and the signature. */
function limitsOf({ frameBytes }: Config): Limits {
  return { ...defaultLimits, frameBytes, dataBytes: Math.min(defaultLimits.dataBytes, Math.floor(frameBytes / 2)) }
}

/** Proxies that are believed, as Fastify wants them. */
function trustOf({ trustProxy }: Config): string[] | false {
  return trustProxy.length === 0 ? false : [...trustProxy]
}

/** Many programs send `content-type: application/json` with every request, a DELETE without a body included. */
function acceptEmptyJson(server: FastifyInstance): void {
  // Fastify takes text as well; here it would only be refused in words that do not fit.
  server.removeContentTypeParser('text/plain')
  const parse = server.getDefaultJsonParser('error', 'error')
  server.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else parse(request, body, done)
  })
}

/** Waits for work, but no longer than `limitMs`. */
async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>(resolve => {
    timer = setTimeout(resolve, limitMs)
  })
  await Promise.race([work, late])
  clearTimeout(timer)
}

/**
 * Composes the gateway over a store: the one file that knows all folders. It does not listen, and has no timers.
 * @throws WrongMasterKey, StoreUnavailable
 */
export async function buildApp(options: AppOptions): Promise<App> {
  const { config, store, masterKeys, adminToken, logger, pagesFolder } = options
  const { now = Date.now, randomText = bytes => randomBytes(bytes).toString('base64url') } = options

  const server = Fastify({
    ...(logger === undefined ? {} : { loggerInstance: logger, logController: new RequestLog() }),
    trustProxy: trustOf(config),
    bodyLimit: bodyBytes,
    routerOptions: { maxParamLength },
    forceCloseConnections: 'idle',
    // While it closes, the routes answer in their own form: the bridge with a signed DRAINING.
    return503OnClosing: false,
    requestTimeout: requestTimeoutMs,
    ...(config.tls === undefined
      ? {}
      : { https: { cert: readFileSync(config.tls.certFile), key: readFileSync(config.tls.keyFile) } }),
    // A path that cannot even be routed: refused like everything else, without repeating it.
    frameworkErrors: (_error: Error, request: FastifyRequest, reply: FastifyReply) => {
      if (request.raw.url?.startsWith(`${bridgePrefix}/`)) return refuseBridgePath(reply)
      const { status, message } = apiErrors.BAD_REQUEST
      return reply.code(status).send({ code: 'BAD_REQUEST', message })
    },
    // What a caller sends is taken as it is or refused: nothing is coerced, nothing is dropped unseen.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: false } }
  }) as FastifyInstance

  const registry = await openRegistry(store, masterKeys, now)
  const metrics = createMetrics(() => connected.size, store.channels.counts)
  const limits = limitsOf(config)
  const channels = createChannelBroker({
    store: store.channels,
    bounds: { recover: limits.recover },
    now,
    random: Math.random,
    log: logger ?? silentLog,
    observer: metrics.channels
  })
  const presence = createPresenceTracker(store.presence, config.presence, now)
  const dependencies: SessionDependencies = {
    settings: {
      instanceId: `i_${randomText(9)}`,
      heartbeatIntervalSeconds: config.heartbeatIntervalSeconds,
      heartbeatTimeoutSeconds: config.heartbeatTimeoutSeconds,
      freshChallengeMs: config.freshChallengeMs,
      framesPerSecond: config.rateLimit ? config.framesPerSecond : 0,
      maxSessions: config.maxSessions,
      maxSessionsPerClient: config.rateLimit ? config.maxSessionsPerClient : Number.MAX_SAFE_INTEGER,
      limits
    },
    store,
    registry,
    channels,
    presence,
    observer: metrics.observer,
    log: logger ?? silentLog,
    now,
    randomText
  }
  const connected = new ConnectedSessions(dependencies)
  const sessions = new SessionRegistry()
  sessions.addSource(connected)
  const member = new ClusterMember(dependencies, sessions, presence)
  await member.start()
  // With the embedded store there is no other instance to go to: sessions are not asked to.
  const drain = createDrain(connected, store.kind === 'embedded' ? 0 : config.drainMs)

  await server.register(errors)
  // In this order: rate-limit's hooks on a socket's route need the websocket plugin before them and the route after.
  await server.register(wsServer, { sessions: connected, frameBytes: config.frameBytes })
  if (config.rateLimit) {
    await server.register(rateLimit, { global: true, max: requestsPerMinute, timeWindow: 60_000 })
  }
  // @fastify/websocket accepts an upgrade on any route; only its own may have one.
  server.addHook('onRequest', (request, _reply, done) => {
    done(request.ws && request.routeOptions.url !== '/v1/ws' ? new ApiError('NOT_FOUND') : undefined)
  })
  server.decorateRequest('actor', '')
  server.decorateRequest('cappedBy', undefined)
  acceptEmptyJson(server)
  // Before the routes that it describes, and after the rate limit, for its own.
  await server.register(openapi)

  const bridgeSettings: BridgeSettings = {
    heartbeatTimeoutSeconds: config.bridgeTimeoutSeconds,
    lingerMs: config.lingerMs,
    answerWithinMs: options.bridgeAnswerWithinMs ?? defaultAnswerWithinMs
  }
  const bridgeSessions = new BridgeSessions(dependencies, bridgeSettings)
  sessions.addSource(bridgeSessions)
  metrics.watchHeldPolls(() => bridgeSessions.heldPolls)

  const perMinute = config.rateLimit ? config.failedHandshakesPerMinute : 0
  const brake = createHandshakeLimiter(store.rateLimits, perMinute, dependencies.log)
  await server.register(ws, { dependencies, sessions: connected, config, limiter: brake, isDraining: drain.isDraining })
  await server.register(bridge, {
    ...{ prefix: bridgePrefix, dependencies, limiter: brake, drain },
    settings: bridgeSettings,
    sessions: bridgeSessions,
    handshakesPerMinute: config.rateLimit ? config.handshakesPerMinute : undefined
  })

  await server.register(healthRoutes(store, metrics, drain.isDraining), {})
  if (pagesFolder !== undefined) await server.register(pageRoutes(pagesFolder))
  const silenceMs = config.heartbeatTimeoutSeconds * 1000 + reapGraceMs
  const requireScope = createAuth({ adminToken, tokens: registry.tokens, allowInsecureHttp: config.allowInsecureHttp })
  // preParsing comes after onRequest, where the rate limit is: guesses at a token are counted like everything else.
  const adminGuard = requireScope(({ method }) => (method === 'GET' || method === 'HEAD' ? ['read'] : []))
  await server.register(
    async admin => {
      admin.addHook('preParsing', adminGuard)
      await admin.register(clientRoutes(registry.clients, registry.tickets))
      await admin.register(licenseRoutes(registry.licenses))
      await admin.register(importRoutes(registry.imports))
      await admin.register(tokenRoutes(registry.tokens))
      await admin.register(sessionRoutes(store, registry, silenceMs))
      await admin.register(presenceRoutes(store.presence, presence, now))
    },
    { prefix: '/v1/admin' }
  )
  await server.register(
    ticketRoutes(
      registry.tickets,
      requireScope(() => ['tickets'])
    ),
    { prefix: '/v1' }
  )
  await server.register(
    publishRoutes(
      channels,
      limits,
      requireScope(() => ['publish'])
    ),
    { prefix: '/v1' }
  )
  // Whoever is still in the middle of a request then is cut off: a stop takes seconds.
  server.addHook('preClose', async () => {
    setTimeout(() => server.server.closeAllConnections(), stragglersMs).unref()
  })
  server.addHook('onClose', async () => {
    await within(stragglersMs, Promise.all([connected.settled(), member.stop()]))
    await store.close()
  })

  return {
    server,
    sessionCount: () => connected.size,
    heldPolls: () => bridgeSessions.heldPolls,
    async tick() {
      const at = now()
      for (const connection of server.waitingConnections) connection.tick(at)
      await Promise.all([member.tick(), channels.tick()])
    },
    async stop() {
      await drain.run()
      await server.close()
    }
  }
}
