import Type from 'typebox'
import { sessionIdSchema, sessionTag } from '../admin/sessions/schema.js'
import { needs, refusals } from '../common/operation.js'
import {
  attributesSchema,
  clientIdSchema,
  oneOf,
  pageQuerySchema,
  pageSchema,
  refer,
  timeShown
} from '../common/schema.js'

/** `GET /v1/sessions`: schemas and operation. */

const listedSessionSchema = Type.Object(
  {
    sessionId: sessionIdSchema,
    clientId: clientIdSchema,
    transport: oneOf(['ws', 'bridge'], 'The transport.'),
    openedAt: timeShown('When it began.'),
    lastSeenAt: timeShown(
      'When the peer was last active, at most 2 seconds old. A session with a held poll is active.'
    ),
    attributes: attributesSchema
  },
  { $id: 'ListedSession', description: 'A live session, as those who may call it see it.' }
)

const listedPageSchema = pageSchema(listedSessionSchema, 'ListedSessionPage')

export const directoryCalls = {
  list: {
    tags: [sessionTag.name],
    operationId: 'listCallableSessions',
    summary: 'List the live sessions of a client',
    description:
      'Sessions of all instances, ordered by id, with their current attributes. A token needs a `call` pattern that can match a method of the client (PROTOCOL.md, section 15).',
    security: needs('calls', 'admin'),
    querystring: Type.Object(
      { ...pageQuerySchema.properties, clientId: clientIdSchema },
      { additionalProperties: false }
    ),
    response: { 200: refer(listedPageSchema, 'A page of sessions.') },
    refusals: refusals([400])
  }
} as const

export const directorySchemas = [listedSessionSchema, listedPageSchema]
