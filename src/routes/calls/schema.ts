import Type from 'typebox'
import { maxCalledSessions } from '../../calls/call-all.js'
import { callTimeoutMs } from '../../protocol/limits.js'
import { errorSchema, needs, ofBody, refusals } from '../common/operation.js'
import type { Tag } from '../common/resource.js'
import { clientIdSchema, refer } from '../common/schema.js'

/** `POST /v1/calls`: schemas and operation. */

/** As on the wire: an unknown id is well-formed. */
const sessionIdSchema = Type.String({
  pattern: '^[A-Za-z0-9_-]{1,64}$',
  description: 'Id of the session.',
  examples: ['Zk3vXw9aT1qLr8YpB2mNcg']
})

const newCallSchema = Type.Object(
  {
    to: Type.Object(
      {
        sessionId: Type.Optional(sessionIdSchema),
        clientId: Type.Optional(clientIdSchema),
        all: Type.Optional(
          Type.Literal(true, {
            type: 'boolean',
            description: `With \`clientId\`: all live sessions of the client, at most ${maxCalledSessions}.`
          })
        )
      },
      {
        additionalProperties: false,
        description:
          'Either `sessionId`, or `clientId`: then the gateway picks one live session of the client, the most recently seen.',
        examples: [{ clientId: 'my-game' }]
      }
    ),
    method: Type.String({
      pattern: '^[A-Za-z0-9_.:-]{1,64}$',
      description: 'What the receiver is asked to do.',
      examples: ['kick']
    }),
    data: Type.Optional(
      Type.Unknown({
        description: 'Any JSON value. Its serialized form has at most `limits.dataBytes` bytes (32,768 by default).'
      })
    ),
    timeoutMs: Type.Optional(
      Type.Integer({
        ...{ minimum: callTimeoutMs.min, maximum: callTimeoutMs.max },
        description: `How long to wait for the answer, in milliseconds. Default: ${callTimeoutMs.default}.`,
        examples: [callTimeoutMs.default]
      })
    ),
    idempotencyKey: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        description:
          'A repeat with the same key and the same token within 5 minutes does not run again: it gets the answer of the first call. With `all` the key holds for each session.',
        examples: ['kick-4711']
      })
    )
  },
  {
    $id: 'NewCall',
    additionalProperties: false,
    description: 'A call.',
    examples: [{ to: { clientId: 'my-game' }, method: 'kick', data: { player: 'Builderman' } }]
  }
)

const callDataSchema = Type.Unknown({ description: 'What the receiver returned. Absent if it returned nothing.' })

const calledSchema = Type.Object(
  { sessionId: sessionIdSchema, data: Type.Optional(callDataSchema) },
  { $id: 'Called', description: 'The answer of the receiver.' }
)

export const callTag: Tag = { name: 'Calls', description: 'Requests to live sessions, and their answers.' }

const reasons = {
  502: 'the receiver answered with an error: see `error`',
  504: 'no answer in time; it may have run'
}

export const callCalls = {
  call: {
    tags: [callTag.name],
    operationId: 'call',
    summary: 'Call a session',
    description:
      'Asks a live session to do something, and returns its answer (PROTOCOL.md, section 16). One of the `call` patterns of the token must match `<clientId>/<method>`. If the response was lost, repeat the request with the same `idempotencyKey`. With `all` the response is NDJSON: `{sessionId, data?}` or `{sessionId, error: {code, message}}` for each session as its answer comes, an error `RATE_LIMITED` or `INVALID_MESSAGE` for one that the call did not reach, no line for one that does not answer, and last `{done: true, answered, missing, truncated?}` with numbers of sessions; `truncated` were not called.',
    security: needs('calls', 'admin'),
    body: refer(newCallSchema),
    response: {
      ...refusals([...ofBody, 502, 504], reasons),
      200: {
        description: 'The answer, or with `all` one line for each session.',
        content: {
          'application/json': { schema: refer(calledSchema) },
          'application/x-ndjson': { schema: Type.String() }
        }
      },
      404: refer(errorSchema, '`NO_RECEIVER`: there is no such live session; nothing ran.')
    },
    refusals: {}
  }
} as const

export const callSchemas = [newCallSchema, calledSchema]
