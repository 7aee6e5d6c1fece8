import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ApiError } from '../../errors.js'
import { monitoringRate } from '../../http/rate-limit.js'
import { bearerOf } from '../../http/verified-tokens.js'
import type { Registry } from '../../registry/index.js'
import { shareReads } from '../../store/shared-read.js'
import type { Store } from '../../store/store.js'
import type { Resource } from '../common/resource.js'
import { healthCalls, healthSchemas, healthTag } from './schema.js'

export interface HealthDependencies {
  readonly store: Pick<Store, 'ping' | 'channels' | 'isFull'>
  readonly identity: Pick<Registry['identity'], 'check' | 'problem'>
  readonly damage: Registry['damage']
  readonly metrics: {
    readonly contentType: string
    render(): Promise<string>
  }
  /** The bearer token that `/metrics` requires; undefined: none. */
  readonly metricsToken: string | undefined
  isDraining(): boolean
  /** Unix milliseconds. */
  readonly now: () => number
}

/** Rendering costs milliseconds, so all requests within this time share one result. */
const renderEveryMs = 1000

function renderAtMostOnce({ metrics, now }: Pick<HealthDependencies, 'metrics' | 'now'>): () => Promise<string> {
  let rendering: Promise<string> | undefined
  let renderedAt = 0
  return () => {
    // After a step back of the clock, an old result must not be kept.
    if (rendering === undefined || Math.abs(now() - renderedAt) >= renderEveryMs) {
      renderedAt = now()
      rendering = metrics.render()
    }
    return rendering
  }
}

/**
 * A store that answers this slowly is reported as slow, in milliseconds; one that does not answer is reported as
 * unavailable.
 */
export const slowStoreMs = 250

interface StoreCheck {
  readonly state: string
  readonly isReady: boolean
  readonly isSlow: boolean
}

/** Readiness depends on small writes: near its bound, a store refuses only large publications. */
const fullState = 'full: the store lately refused what needs memory, such as publications; revocations still work'

async function checkStore({ store, damage }: HealthDependencies): Promise<StoreCheck> {
  try {
    const askedAt = performance.now()
    await store.ping()
    const tookMs = Math.round(performance.now() - askedAt)
    const isSlow = tookMs >= slowStoreMs
    const answered = isSlow ? `slow: answered after ${tookMs} ms` : 'ok'
    // A damaged store still serves readable records.
    const whole = damage.problem === undefined ? answered : `damaged: ${damage.problem}`
    return { state: store.isFull ? fullState : whole, isReady: true, isSlow }
  } catch (error) {
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
    return { state: store.isFull ? fullState : reason, isReady: false, isSlow: false }
  }
}

async function checkIdentity({ identity }: Pick<HealthDependencies, 'identity'>): Promise<string> {
  // The other check reports a store that does not answer.
  await identity.check().catch(() => {})
  return knownIdentity({ identity })
}

function knownIdentity({ identity }: Pick<HealthDependencies, 'identity'>): string {
  return identity.problem?.message ?? 'ok'
}

/** Compares digests, so that neither timing nor length of a token is revealed. */
function createTokenCheck(token: string | undefined): (bearer: string | undefined) => boolean {
  if (token === undefined) return () => true
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const expected = digest(token)
  return bearer => timingSafeEqual(digest(bearer ?? ''), expected)
}

function routes(dependencies: HealthDependencies): FastifyPluginAsyncTypebox {
  const { metrics, metricsToken, isDraining } = dependencies
  const { channels } = dependencies.store
  const render = renderAtMostOnce(dependencies)
  // A result is never older than its request, and concurrent requests share one call of the store.
  const check = shareReads(() => checkStore(dependencies))
  return async app => {
    // Separate counts: a flood of other requests from its address must not block a monitor.
    const config = { rateLimit: monitoringRate() }

    // Does not check the store: a restart would not repair it.
    app.get('/livez', { config, schema: healthCalls.alive }, () => ({ status: 'ok' as const }))

    app.get('/readyz', { config, schema: healthCalls.ready }, async (_request, reply) => {
      const identity = checkIdentity(dependencies)
      const { state, isReady, isSlow } = await check()
      const checks = {
        store: state,
        // A silent store has its reason at once: reading the identity from it takes longer to fail.
        identity: isReady ? await identity : knownIdentity(dependencies),
        channels: channels.isReceiving ? 'ok' : 'publications do not arrive from the store',
        drain: isDraining() ? 'this instance is stopping' : 'ok'
      }
      const ready = isReady && [checks.identity, checks.channels, checks.drain].every(check => check === 'ok')
      const status = isSlow ? ('slow' as const) : ('ok' as const)
      return reply.code(ready ? 200 : 503).send({ status: ready ? status : 'unavailable', checks })
    })

    const hasAccess = createTokenCheck(metricsToken)
    app.get('/metrics', { config, schema: healthCalls.metrics }, async (request, reply) => {
      if (!hasAccess(bearerOf(request.headers))) throw new ApiError('UNAUTHORIZED')
      return reply.type(metrics.contentType).send(await render())
    })
  }
}

/** `/livez`: the process responds. `/readyz`: this instance can serve requests. `/metrics`: for Prometheus. */
export const healthResource: Resource<HealthDependencies> = { tags: [healthTag], schemas: healthSchemas, routes }
