import type { FastifyPluginAsync } from 'fastify'
import type { Store } from '../../store/store.js'
import { healthCalls } from './schema.js'

export interface Metrics {
  readonly contentType: string
  render(): Promise<string>
}

/**
 * `/livez`: this process answers. It never looks at the store: a gateway whose store is gone is not mended by a restart.
 * `/readyz`: this instance can serve right now, asked of the store anew each time. `/metrics`: for Prometheus.
 */
export function healthRoutes(store: Store, metrics: Metrics, isDraining: () => boolean): FastifyPluginAsync {
  return async app => {
    // Whoever watches over an instance must not be told that it asks too often.
    const config = { rateLimit: false }
    app.get('/livez', { config, schema: healthCalls.alive }, () => ({ status: 'ok' }))

    app.get('/readyz', { config, schema: healthCalls.ready }, async (_request, reply) => {
      const checks: Record<string, string> = {}
      try {
        await store.ping()
        checks['store'] = 'ok'
      } catch (error) {
        checks['store'] = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
      }
      checks['channels'] = store.channels.isReceiving ? 'ok' : 'no word of publications arrives'
      checks['drain'] = isDraining() ? 'this instance is stopping' : 'ok'
      const ready = Object.values(checks).every(check => check === 'ok')
      return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'unavailable', checks })
    })

    app.get('/metrics', { config, schema: healthCalls.metrics }, async (_request, reply) =>
      reply.type(metrics.contentType).send(await metrics.render())
    )
  }
}
