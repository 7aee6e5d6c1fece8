import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Store } from '../../store/store.js'
import type { Resource } from '../common/resource.js'
import { healthCalls, healthSchemas, healthTag } from './schema.js'

export interface HealthDependencies {
  readonly store: Pick<Store, 'ping' | 'channels'>
  readonly metrics: {
    readonly contentType: string
    render(): Promise<string>
  }
  isDraining(): boolean
}

async function checkStore({ store }: HealthDependencies): Promise<string> {
  try {
    await store.ping()
    return 'ok'
  } catch (error) {
    return error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
  }
}

function routes(dependencies: HealthDependencies): FastifyPluginAsyncTypebox {
  const { store, metrics, isDraining } = dependencies
  return async app => {
    // A monitor must never be refused for polling.
    const config = { rateLimit: false }

    // Does not check the store: a restart would not repair it.
    app.get('/livez', { config, schema: healthCalls.alive }, () => ({ status: 'ok' as const }))

    app.get('/readyz', { config, schema: healthCalls.ready }, async (_request, reply) => {
      const checks = {
        store: await checkStore(dependencies),
        channels: store.channels.isReceiving ? 'ok' : 'publications do not arrive from the store',
        drain: isDraining() ? 'this instance is stopping' : 'ok'
      }
      const ready = Object.values(checks).every(check => check === 'ok')
      return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'unavailable', checks })
    })

    app.get('/metrics', { config, schema: healthCalls.metrics }, async (_request, reply) =>
      reply.type(metrics.contentType).send(await metrics.render())
    )
  }
}

/** `/livez`: the process responds. `/readyz`: this instance can serve requests. `/metrics`: for Prometheus. */
export const healthResource: Resource<HealthDependencies> = { tags: [healthTag], schemas: healthSchemas, routes }
