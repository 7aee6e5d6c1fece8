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
  /** What `/metrics` wants as its bearer token; undefined: nothing. */
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
    // A clock that was set back must not keep an old result.
    if (rendering === undefined || Math.abs(now() - renderedAt) >= renderEveryMs) {
      renderedAt = now()
      rendering = metrics.render()
    }
    return rendering
  }
}

/** A store that answers, and takes this long, is called slow. In milliseconds; a store that does not answer counts as gone. */
export const slowStoreMs = 250

interface StoreCheck {
  readonly state: string
  readonly isReady: boolean
  readonly isSlow: boolean
}

/** Whether small writes still work decides readiness: near its bound, a store refuses large publications only. */
const fullState = 'full: the store lately refused what needs memory, such as publications; revocations still work'

async function checkStore({ store, damage }: HealthDependencies): Promise<StoreCheck> {
  try {
    const askedAt = performance.now()
    await store.ping()
    const tookMs = Math.round(performance.now() - askedAt)
    const isSlow = tookMs >= slowStoreMs
    const answered = isSlow ? `slow: answered after ${tookMs} ms` : 'ok'
    // What can be read is served.
    const whole = damage.problem === undefined ? answered : `damaged: ${damage.problem}`
    return { state: store.isFull ? fullState : whole, isReady: true, isSlow }
  } catch (error) {
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
    return { state: store.isFull ? fullState : reason, isReady: false, isSlow: false }
  }
}

async function checkIdentity({ identity }: HealthDependencies): Promise<string> {
  // A store that does not answer is the other check's fault.
  await identity.check().catch(() => {})
  return identity.problem?.message ?? 'ok'
}

/** Compares digests: neither the time nor the length of a token is revealed. */
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
  // A result is never older than its request, and a flood costs one call of the store at a time.
  const check = shareReads(() => checkStore(dependencies))
  return async app => {
    // Counts of their own: a flood of other requests from its address must not make a monitor blind.
    const config = { rateLimit: monitoringRate() }

    // Does not check the store: a restart would not repair it.
    app.get('/livez', { config, schema: healthCalls.alive }, () => ({ status: 'ok' as const }))

    app.get('/readyz', { config, schema: healthCalls.ready }, async (_request, reply) => {
      const [{ state, isReady, isSlow }, identity] = await Promise.all([check(), checkIdentity(dependencies)])
      const checks = {
        ...{ store: state, identity },
        channels: channels.isReceiving ? 'ok' : 'publications do not arrive from the store',
        drain: isDraining() ? 'this instance is stopping' : 'ok'
      }
      const { store: _, ...others } = checks
      const ready = isReady && Object.values(others).every(check => check === 'ok')
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
