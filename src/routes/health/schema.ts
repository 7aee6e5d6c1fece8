import Type from 'typebox'
import { refusals } from '../common/operation.js'
import { oneOf, refer } from '../common/schema.js'

/** `/livez`, `/readyz`, `/metrics`: their shapes and calls. */

const aliveSchema = Type.Object({ status: oneOf(['ok'], 'It answers.') }, { $id: 'Alive' })

const readinessSchema = Type.Object(
  {
    status: oneOf(['ok', 'unavailable'], 'Whether it can serve.'),
    checks: Type.Unsafe<Readonly<Record<string, string>>>({
      type: 'object',
      additionalProperties: { type: 'string' },
      description: '`ok`, or what is wrong, of each thing that is needed: `store`, `channels`, `drain`.',
      examples: [{ store: 'ok', channels: 'ok', drain: 'ok' }]
    })
  },
  { $id: 'Readiness' }
)

const tags = ['Health']

export const healthCalls = {
  alive: {
    tags,
    operationId: 'livez',
    summary: 'Whether the process answers',
    description: 'It never looks at the store: a gateway whose store is gone is not mended by a restart.',
    security: [],
    response: { 200: refer(aliveSchema, 'It does.') }
  },
  ready: {
    tags,
    operationId: 'readyz',
    summary: 'Whether this instance can serve',
    description: 'Asks the store anew each time.',
    security: [],
    response: { 200: refer(readinessSchema, 'It can.'), 503: refer(readinessSchema, 'It cannot: `checks` says why.') }
  },
  metrics: {
    tags,
    operationId: 'metrics',
    summary: 'Metrics for Prometheus',
    security: [],
    response: {
      200: { description: 'The format of Prometheus.', content: { 'text/plain': { schema: Type.String() } } }
    },
    refusals: { 500: refusals([])[500] }
  }
} as const

export const healthSchemas = [aliveSchema, readinessSchema]
