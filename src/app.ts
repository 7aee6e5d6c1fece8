import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import bridge, { refuseBridgePath } from './bridge/index.js'
import type { Config } from './config/load.js'
import { ApiError } from './errors.js'
import { registerDescriptorGate } from './http/descriptor-gate.js'
import { createHttpEdge, type HttpEdge } from './http/edge.js'
import type { ServerTimeouts } from './http/node-server.js'
import { createRequestCount, registerRateLimit } from './http/rate-limit.js'
import { refusalOf } from './http/request-log.js'
import requestRules from './http/request-rules.js'
import { createServer } from './http/server.js'
import { within } from './http/within.js'
import { type BoundedLog, createBoundedLog } from './log/bounded-log.js'
import { adminResources } from './routes/admin/index.js'
import { asyncApiRoutes } from './routes/asyncapi/routes.js'
import { createAuth } from './routes/auth.js'
import { callResource } from './routes/calls/routes.js'
import docs from './routes/docs.js'
import errors from './routes/errors.js'
import { healthResource } from './routes/health/routes.js'
import openapi, { version } from './routes/openapi.js'
import { pageRoutes } from './routes/pages.js'
import { publishResource } from './routes/publish/routes.js'
import { directoryResource } from './routes/sessions/routes.js'
import { ticketResource } from './routes/tickets/routes.js'
import { sessionTimeoutsOf } from './session-layer/settings.js'
import { createSessionLayer, type SessionLayer, type SessionLayerOptions, silentLog } from './session-layer.js'
import type { Store } from './store/store.js'
import ws from './ws/index.js'
import wsServer from './ws/server.js'

const bridgePrefix = '/v1/bridge'
/** Time for open requests to end when the server closes, in milliseconds. Remaining connections are then cut. */
const closeGraceMs = 2000

export interface AppOptions extends SessionLayerOptions {
  readonly adminToken: string
  /** A pino logger. Absent: nothing is logged. */
  readonly logger?: FastifyBaseLogger
  /** Folder of the built pages, ending in `/`. Absent: neither the demo nor the API reference is served. */
  readonly pagesFolder?: URL
  /** Processes that share the port and the machine. Default: 1. */
  readonly workers?: number
  /** Renders the metrics of all workers. Default: those of this process. */
  readonly renderMetrics?: () => Promise<string>
  /** Default: the specified ones (docs/operating.md). */
  readonly timeouts?: ServerTimeouts
}

export interface App {
  readonly server: FastifyInstance
  readonly instanceId: string
  /** Does periodic work; call it about once a second: timeouts, heartbeats to the store, permission changes. */
  tick(): Promise<void>
  /** Lets sessions move to other instances, then closes everything, including the store. */
  stop(): Promise<void>
  /** WebSocket sessions of this instance. Bridge sessions belong to no instance. */
  sessionCount(): number
  /** Bridge polls that this instance holds. */
  heldPolls(): number
  /** The metrics of this process, to be added to those of others. */
  readonly readMetrics: SessionLayer['metrics']['read']
}

/** Composes the parts between the sockets and the routes. */
interface HttpParts {
  readonly edge: HttpEdge
  readonly boundedLog: BoundedLog
}

async function registerTransports(
  server: FastifyInstance,
  layer: SessionLayer,
  { edge, boundedLog }: HttpParts,
  config: Config
): Promise<void> {
  const { dependencies, connected, limiter, drain } = layer
  await server.register(ws, { dependencies, sessions: connected, limiter, isDraining: drain.isDraining })
  await server.register(bridge, {
    ...{ prefix: bridgePrefix, dependencies, limiter, drain },
    settings: layer.bridgeSettings,
    sessions: layer.bridgeSessions,
    rateLimit: config.rateLimit,
    ...{ readBody: edge.readBody, refused: boundedLog.requests }
  })
}

/** @throws ApiError UNAVAILABLE if the metrics of other workers do not arrive */
async function renderShared(render: () => Promise<string>): Promise<string> {
  try {
    return await render()
  } catch (error) {
    throw new ApiError('UNAVAILABLE', error instanceof Error ? error.message : String(error))
  }
}

async function registerApi(
  server: FastifyInstance,
  layer: SessionLayer,
  { edge }: HttpParts,
  options: AppOptions
): Promise<void> {
  const { config, store, adminToken, renderMetrics } = options
  const { metrics, drain } = layer
  const { registry, channels, presence, settings, now, steadyNow } = layer.dependencies
  const requireScope = createAuth({
    ...{ adminToken, tokens: registry.tokens, verified: edge.verifiedTokens },
    allowInsecureHttp: config.allowInsecureHttp
  })
  const admin = {
    ...{ registry, store, presence, now, steadyNow },
    sessionTimeoutMs: sessionTimeoutsOf(config)
  }
  await server.register(
    healthResource.routes({
      store,
      identity: registry.identity,
      damage: registry.damage,
      metrics: renderMetrics ? { ...metrics, render: () => renderShared(renderMetrics) } : metrics,
      metricsToken: config.metricsToken,
      isDraining: drain.isDraining,
      now
    }),
    {}
  )
  await server.register(
    async scope => {
      // preParsing runs after onRequest, so the rate limit counts token guesses like other requests.
      scope.addHook(
        'preParsing',
        requireScope(({ method, routeOptions }) => {
          const reads = method === 'GET' || method === 'HEAD'
          return reads && routeOptions.config.needsAdmin !== true ? ['read'] : []
        })
      )
      for (const resource of adminResources) await scope.register(resource.routes(admin))
    },
    { prefix: '/v1/admin' }
  )
  const guard = requireScope(() => ['tickets'])
  const tickets = { tickets: registry.tickets, quotas: layer.quotas, now, guard }
  await server.register(ticketResource.routes(tickets), { prefix: '/v1' })
  const publish = { channels, limits: settings.limits, guard: requireScope(() => ['publish']) }
  await server.register(publishResource.routes(publish), { prefix: '/v1' })
  const { directory, calls: router } = layer.dependencies
  const guardCalls = requireScope(() => ['calls'])
  await server.register(directoryResource.routes({ directory, guard: guardCalls }), { prefix: '/v1' })
  const calls = { router, callers: layer.httpCallers, directory, limits: settings.limits, guard: guardCalls }
  await server.register(callResource.routes(calls), { prefix: '/v1' })
}

/** Demo page and API reference. */
async function registerPages(server: FastifyInstance, folder: URL): Promise<void> {
  await server.register(pageRoutes(folder))
  await server.register(docs, { folder })
}

/** Plugins and hooks that must precede the routes. */
async function registerFoundation(
  server: FastifyInstance,
  { connected, metrics }: SessionLayer,
  { edge, boundedLog }: HttpParts,
  config: Config
): Promise<void> {
  // The rate limit's hook on the WebSocket route needs the plugin before it and the route after it.
  await server.register(wsServer, { sessions: connected, frameBytes: config.frameBytes })
  // After the websocket plugin, which closes the socket of an upgrade that is refused in a later hook.
  await registerDescriptorGate(server, edge, config.maxSessions, boundedLog)
  if (config.rateLimit) await registerRateLimit(server, edge.verifiedTokens, boundedLog.floods)
  await server.register(requestRules, { allowedOrigins: config.allowedOrigins })
  await server.register(errors, { boundedLog, rateLimit: config.rateLimit })
  server.addHook('onResponse', (request, reply, done) => {
    const refusal = refusalOf(request, reply)
    if (refusal !== undefined) metrics.requestRefused(refusal.code)
    done()
  })
  // @fastify/websocket would accept an upgrade on any route.
  const count = createRequestCount(server)
  server.addHook('onRequest', (request, _reply, done) => {
    if (!request.ws || request.routeOptions.url === '/v1/ws') return done()
    count(request).then(refusal => done(refusal ?? new ApiError('NOT_FOUND')), done)
  })
  server.decorateRequest('actor', '').decorateRequest('limitedBy', undefined)
  // After the rate limit, so that the document is limited too.
  await server.register(asyncApiRoutes(version))
  await server.register(openapi, {
    resources: [...adminResources, ticketResource, publishResource, directoryResource, callResource, healthResource]
  })
}

function closeWithServer(server: FastifyInstance, layer: SessionLayer, store: Store): void {
  const { connected, member, quotas, dependencies } = layer
  server.addHook('preClose', async () => {
    setTimeout(() => server.server.closeAllConnections(), closeGraceMs).unref()
  })
  server.addHook('onClose', async () => {
    await within(closeGraceMs, Promise.all([connected.settled(), member.stop(), quotas.tick()]))
    dependencies.calls.stop()
    await store.close()
  })
}

/**
 * Composes the gateway over a store. The app does not listen yet, and the caller drives its clock through `tick`.
 * @throws WrongMasterKey, StoreUnavailable
 */
export async function buildApp(options: AppOptions): Promise<App> {
  const { config, store, logger, pagesFolder, timeouts, now = Date.now, workers = 1 } = options
  const edge = createHttpEdge({ ...config, workers })
  const boundedLog = createBoundedLog(logger ?? silentLog, now, options.monotonicNow ?? now)
  const layer = await createSessionLayer({ ...options, edge, boundedLog })
  const { connected, member, bridgeSessions, drain, dependencies, quotas, capacity, timekeeper } = layer
  const server = createServer({
    ...{ ...config, logger, edge, boundedLog, timeouts, refuseBridgePath, bridgePrefix },
    ...{ depth: dependencies.settings.limits.depth, onRefused: layer.metrics.requestRefused }
  })
  const parts = { edge, boundedLog }
  await registerFoundation(server, layer, parts, config)
  await registerTransports(server, layer, parts, config)
  await registerApi(server, layer, parts, options)
  if (pagesFolder !== undefined) await registerPages(server, pagesFolder)
  closeWithServer(server, layer, store)
  return {
    server,
    instanceId: dependencies.settings.instanceId,
    sessionCount: () => connected.size,
    heldPolls: () => bridgeSessions.heldPolls,
    readMetrics: layer.metrics.read,
    async tick() {
      timekeeper.beat()
      boundedLog.tick(layer.bounds())
      const times = timekeeper.times()
      for (const connection of server.waitingConnections) connection.tick(times)
      const storeWork = [
        layer.tickRegistry(),
        member.tick(),
        dependencies.channels.tick(),
        dependencies.calls.tick(),
        quotas.tick(),
        timekeeper.synchronize()
      ]
      await Promise.all([...storeWork, capacity.tick(), edge.descriptors.sample()])
    },
    async stop() {
      await drain.run()
      await server.close()
    }
  }
}
