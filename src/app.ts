import { randomBytes } from 'node:crypto'
import rateLimit from '@fastify/rate-limit'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { createHandshakeLimiter, type HandshakeLimiter } from './auth/handshake-limiter.js'
import bridge, { refuseBridgePath } from './bridge/index.js'
import { BridgeSessions } from './bridge/sessions.js'
import { type BridgeSettings, defaultAnswerWithinMs } from './bridge/settings.js'
import { createChannelBroker } from './channels/channel-broker.js'
import { ClusterMember } from './cluster/cluster-member.js'
import { createDrain, type Drain } from './cluster/drain.js'
import { createPresenceTracker } from './cluster/presence.js'
import type { Config } from './config/load.js'
import { ApiError } from './errors.js'
import { createMetrics, type Metrics } from './metrics.js'
import { defaultLimits, type Limits } from './protocol/limits.js'
import { openRegistry } from './registry/index.js'
import { auditResource } from './routes/admin/audit/routes.js'
import { clientResource } from './routes/admin/clients/routes.js'
import { importResource } from './routes/admin/imports/routes.js'
import { licenseResource } from './routes/admin/licenses/routes.js'
import { presenceResource } from './routes/admin/presence/routes.js'
import type { AdminResource } from './routes/admin/resource.js'
import { sessionResource } from './routes/admin/sessions/routes.js'
import { tokenResource } from './routes/admin/tokens/routes.js'
import { upkeepResource } from './routes/admin/upkeep/routes.js'
import { createAuth } from './routes/auth.js'
import docs from './routes/docs.js'
import errors from './routes/errors.js'
import { healthResource } from './routes/health/routes.js'
import openapi from './routes/openapi.js'
import { pageRoutes } from './routes/pages.js'
import { publishResource } from './routes/publish/routes.js'
import { createServer } from './routes/server.js'
import { ticketResource } from './routes/tickets/routes.js'
import { ConnectedSessions, reapGraceMs } from './session/connected-sessions.js'
import type { Log, SessionDependencies, SessionSettings } from './session/dependencies.js'
import { SessionRegistry } from './session/session-registry.js'
import type { Store } from './store/store.js'
import ws from './ws/index.js'
import wsServer from './ws/server.js'

/** Resources under `/v1/admin`, in the order of the API reference. */
const adminResources: readonly AdminResource[] = [
  clientResource,
  licenseResource,
  importResource,
  sessionResource,
  presenceResource,
  tokenResource,
  auditResource,
  upkeepResource
]

const bridgePrefix = '/v1/bridge'
/** Requests of one address per minute to the HTTP API, without those for health and metrics. */
const requestsPerMinute = 3000
/** Time for open requests to end when the server closes, in milliseconds. Then their connections are cut. */
const closeGraceMs = 2000

export interface AppOptions {
  readonly config: Config
  readonly store: Store
  /** 32 bytes each; the first one seals, every one unseals. */
  readonly masterKeys: readonly Uint8Array[]
  readonly adminToken: string
  /** A pino logger. Absent: nothing is logged. */
  readonly logger?: FastifyBaseLogger
  /** Folder of the built pages, ending in `/`. Absent: neither the demo nor the API reference is served. */
  readonly pagesFolder?: URL
  /** Unix milliseconds. Default: the system clock. */
  readonly now?: () => number
  /** How long a bridge exchange waits for the answers to its own messages. Default: 5000 ms (PROTOCOL §9). */
  readonly bridgeAnswerWithinMs?: number
  /** Random bytes in base64url. Default: node:crypto. */
  readonly randomText?: (bytes: number) => string
}

export interface App {
  readonly server: FastifyInstance
  /** Does periodic work; call it about once a second: timeouts, heartbeats to the store, permission changes. */
  tick(): Promise<void>
  /** Lets sessions move to other instances, then closes everything, including the store. */
  stop(): Promise<void>
  /** WebSocket sessions of this instance. Bridge sessions belong to no instance. */
  sessionCount(): number
  /** Bridge polls that this instance holds. */
  heldPolls(): number
}

const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silentLog }

/** A publication's data is at most half a frame: the rest is for names, escapes and the signature. */
function limitsOf({ frameBytes }: Config): Limits {
  return { ...defaultLimits, frameBytes, dataBytes: Math.min(defaultLimits.dataBytes, Math.floor(frameBytes / 2)) }
}

function sessionSettingsOf(config: Config, instanceId: string): SessionSettings {
  return {
    instanceId,
    heartbeatIntervalSeconds: config.heartbeatIntervalSeconds,
    heartbeatTimeoutSeconds: config.heartbeatTimeoutSeconds,
    freshChallengeMs: config.freshChallengeMs,
    framesPerSecond: config.rateLimit ? config.framesPerSecond : 0,
    maxSessions: config.maxSessions,
    maxSessionsPerClient: config.rateLimit ? config.maxSessionsPerClient : Number.MAX_SAFE_INTEGER,
    limits: limitsOf(config)
  }
}

/** @throws WrongMasterKey, StoreUnavailable */
async function createDependencies(
  options: AppOptions,
  metrics: Metrics,
  presence: SessionDependencies['presence']
): Promise<SessionDependencies> {
  const { config, store, masterKeys, logger: log = silentLog, now = Date.now } = options
  const { randomText = bytes => randomBytes(bytes).toString('base64url') } = options
  const settings = sessionSettingsOf(config, `i_${randomText(9)}`)
  const channels = createChannelBroker({
    store: store.channels,
    bounds: { recover: settings.limits.recover },
    now,
    random: Math.random,
    log,
    observer: metrics.channels
  })
  return {
    settings,
    store,
    registry: await openRegistry(store, masterKeys, now),
    channels,
    presence,
    observer: metrics.observer,
    log,
    now,
    randomText
  }
}

function bridgeSettingsOf({ config, bridgeAnswerWithinMs = defaultAnswerWithinMs }: AppOptions): BridgeSettings {
  return {
    heartbeatTimeoutSeconds: config.bridgeTimeoutSeconds,
    lingerMs: config.lingerMs,
    answerWithinMs: bridgeAnswerWithinMs
  }
}

/** Sessions of both transports and what they share, without HTTP. */
interface SessionLayer {
  readonly metrics: Metrics
  readonly dependencies: SessionDependencies
  readonly connected: ConnectedSessions
  readonly member: ClusterMember
  readonly bridgeSessions: BridgeSessions
  readonly bridgeSettings: BridgeSettings
  readonly limiter: HandshakeLimiter
  readonly drain: Drain
}

/** @throws WrongMasterKey, StoreUnavailable */
async function createSessionLayer(options: AppOptions): Promise<SessionLayer> {
  const { config, store, now = Date.now } = options
  const metrics = createMetrics({
    liveSessions: () => connected.size,
    heldPolls: () => bridgeSessions.heldPolls,
    channels: store.channels.counts
  })
  const presence = createPresenceTracker(store.presence, config.presence, now)
  const dependencies = await createDependencies(options, metrics, presence)
  const connected = new ConnectedSessions(dependencies)
  const sessions = new SessionRegistry()
  sessions.addSource(connected)
  const member = new ClusterMember(dependencies, sessions, presence)
  await member.start()
  const bridgeSettings = bridgeSettingsOf(options)
  const bridgeSessions = new BridgeSessions(dependencies, bridgeSettings)
  sessions.addSource(bridgeSessions)
  const failedPerMinute = config.rateLimit ? config.failedHandshakesPerMinute : 0
  return {
    metrics,
    dependencies,
    connected,
    member,
    bridgeSessions,
    bridgeSettings,
    limiter: createHandshakeLimiter(store.rateLimits, failedPerMinute, dependencies.log),
    // With the embedded store there is no other instance that sessions could move to.
    drain: createDrain(connected, store.kind === 'embedded' ? 0 : config.drainMs)
  }
}

async function registerTransports(server: FastifyInstance, layer: SessionLayer, config: Config): Promise<void> {
  const { dependencies, connected, limiter, drain } = layer
  await server.register(ws, { dependencies, sessions: connected, config, limiter, isDraining: drain.isDraining })
  await server.register(bridge, {
    ...{ prefix: bridgePrefix, dependencies, limiter, drain },
    settings: layer.bridgeSettings,
    sessions: layer.bridgeSessions,
    handshakesPerMinute: config.rateLimit ? config.handshakesPerMinute : undefined
  })
}

async function registerApi(server: FastifyInstance, layer: SessionLayer, options: AppOptions): Promise<void> {
  const { config, store, adminToken } = options
  const { metrics, drain } = layer
  const { registry, channels, presence, settings, now } = layer.dependencies
  const requireScope = createAuth({ adminToken, tokens: registry.tokens, allowInsecureHttp: config.allowInsecureHttp })
  const admin = {
    ...{ registry, store, presence, now },
    sessionTimeoutMs: config.heartbeatTimeoutSeconds * 1000 + reapGraceMs
  }
  await server.register(healthResource.routes({ store, metrics, isDraining: drain.isDraining }), {})
  await server.register(
    async scope => {
      // preParsing runs after onRequest, where the rate limit counts guesses at a token like other requests.
      scope.addHook(
        'preParsing',
        requireScope(({ method }) => (method === 'GET' || method === 'HEAD' ? ['read'] : []))
      )
      for (const resource of adminResources) await scope.register(resource.routes(admin))
    },
    { prefix: '/v1/admin' }
  )
  const tickets = { tickets: registry.tickets, guard: requireScope(() => ['tickets']) }
  await server.register(ticketResource.routes(tickets), { prefix: '/v1' })
  const publish = { channels, limits: settings.limits, guard: requireScope(() => ['publish']) }
  await server.register(publishResource.routes(publish), { prefix: '/v1' })
}

/** Demo page and API reference. */
async function registerPages(server: FastifyInstance, folder: URL): Promise<void> {
  await server.register(pageRoutes(folder))
  await server.register(docs, { folder })
}

/** Plugins and hooks that must precede the routes. */
async function registerFoundation(server: FastifyInstance, sessions: ConnectedSessions, config: Config): Promise<void> {
  await server.register(errors)
  // The rate limit's hook on the WebSocket route needs the websocket plugin before it and the route after it.
  await server.register(wsServer, { sessions, frameBytes: config.frameBytes })
  if (config.rateLimit) {
    await server.register(rateLimit, { global: true, max: requestsPerMinute, timeWindow: 60_000 })
  }
  // @fastify/websocket would accept an upgrade on any route.
  server.addHook('onRequest', (request, _reply, done) => {
    done(request.ws && request.routeOptions.url !== '/v1/ws' ? new ApiError('NOT_FOUND') : undefined)
  })
  server.decorateRequest('actor', '')
  server.decorateRequest('limitedBy', undefined)
  // After the rate limit, so that the document is limited too.
  await server.register(openapi, { resources: [...adminResources, ticketResource, publishResource, healthResource] })
}

/** Waits for work, at most `limitMs`. */
async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>(resolve => {
    timer = setTimeout(resolve, limitMs)
  })
  await Promise.race([work, timeout])
  clearTimeout(timer)
}

function closeWithServer(server: FastifyInstance, { connected, member }: SessionLayer, store: Store): void {
  server.addHook('preClose', async () => {
    setTimeout(() => server.server.closeAllConnections(), closeGraceMs).unref()
  })
  server.addHook('onClose', async () => {
    await within(closeGraceMs, Promise.all([connected.settled(), member.stop()]))
    await store.close()
  })
}

/**
 * Composes the gateway over a store. The app does not listen yet, and the caller drives its clock through `tick`.
 * @throws WrongMasterKey, StoreUnavailable
 */
export async function buildApp(options: AppOptions): Promise<App> {
  const { config, store, logger, pagesFolder } = options
  const server = createServer({ ...config, logger, refuseBridgePath, bridgePrefix })
  const layer = await createSessionLayer(options)
  const { connected, member, bridgeSessions, drain, dependencies } = layer
  await registerFoundation(server, connected, config)
  await registerTransports(server, layer, config)
  await registerApi(server, layer, options)
  if (pagesFolder !== undefined) await registerPages(server, pagesFolder)
  closeWithServer(server, layer, store)
  return {
    server,
    sessionCount: () => connected.size,
    heldPolls: () => bridgeSessions.heldPolls,
    async tick() {
      const at = dependencies.now()
      for (const connection of server.waitingConnections) connection.tick(at)
      await Promise.all([member.tick(), dependencies.channels.tick()])
    },
    async stop() {
      await drain.run()
      await server.close()
    }
  }
}
