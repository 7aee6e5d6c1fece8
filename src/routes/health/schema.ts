import Type from 'typebox'
import { refusals } from '../common/operation.js'
import type { Tag } from '../common/resource.js'
import { oneOf, refer } from '../common/schema.js'

/** `/livez`, `/readyz`, `/metrics`: schemas and operations. */

const aliveSchema = Type.Object({ status: oneOf(['ok'], 'The process responds.') }, { $id: 'Alive' })

const readinessSchema = Type.Object(
  {
    status: oneOf(
      ['ok', 'slow', 'unavailable'],
      'Whether the instance can serve requests; `slow`: it can, and its store takes 250 ms or more.'
    ),
    checks: Type.Unsafe<Readonly<Record<string, string>>>({
      type: 'object',
      additionalProperties: { type: 'string' },
      description:
        'The state of `store`, `identity` (of the store), `channels` and `drain`: `ok`, or the problem. `store` begins with `full` after it refused what needs memory; with 200 it still accepts small writes.',
      examples: [{ store: 'ok', identity: 'ok', channels: 'ok', drain: 'ok' }]
    })
  },
  { $id: 'Readiness' }
)

export const healthTag: Tag = {
  name: 'Health',
  description: 'For monitoring. Needs no token. Each path has a rate limit of its own, far above what monitors need.'
}
const tags = [healthTag.name]

export const healthCalls = {
  alive: {
    tags,
    operationId: 'livez',
    summary: 'Check that the process responds',
    description: 'Does not check the store: a restart would not repair it.',
    security: [],
    response: { 200: refer(aliveSchema, 'The process responds.') }
  },
  ready: {
    tags,
    operationId: 'readyz',
    summary: 'Check that this instance can serve requests',
    description: 'Queries the store on every request.',
    security: [],
    response: {
      200: refer(readinessSchema, 'The instance can serve requests.'),
      503: refer(readinessSchema, 'The instance cannot serve requests: `checks` has the reason.')
    }
  },
  metrics: {
    tags,
    operationId: 'metrics',
    summary: 'Metrics for Prometheus',
    description:
      'At most one second old; with COUNTERSIGN_WORKERS those of all workers, at most two. With COUNTERSIGN_METRICS_TOKEN it needs that token.',
    security: [],
    response: {
      200: {
        description: 'Metrics in the Prometheus text format.',
        content: { 'text/plain': { schema: Type.String() } }
      }
    },
    refusals: { 401: refusals([])[401], 500: refusals([])[500], 503: refusals([])[503] }
  }
} as const

export const healthSchemas = [aliveSchema, readinessSchema]
