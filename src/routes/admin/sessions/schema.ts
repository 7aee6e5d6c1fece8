import Type from 'typebox'
import { needs, noContent, refusals } from '../../common/operation.js'
import type { Tag } from '../../common/resource.js'
import {
  attributesSchema,
  clientIdSchema,
  keyIdSchema,
  oneOf,
  pageQuerySchema,
  pageSchema,
  refer,
  timeShown
} from '../../common/schema.js'

/** `/v1/admin/sessions`: schemas and operations. */

export const sessionTag: Tag = { name: 'Sessions', description: 'The live sessions.' }
const tags = [sessionTag.name]

export const sessionIdSchema = Type.String({
  pattern: '^[A-Za-z0-9_-]{22,64}$',
  description: 'Id of the session.',
  examples: ['u5Xb2mQ9vT1kLr8wZc4eYh0s']
})

const countsSchema = Type.Object(
  {
    frames: Type.Integer({ description: 'Verified frames; on the bridge each poll is one too.', examples: [1204] }),
    bytes: Type.Integer({ description: 'Their bytes.', examples: [96_320] }),
    refused: Type.Integer({ description: 'Frames and exchanges that were answered with an error.', examples: [0] })
  },
  { description: 'What the session has sent since it began, at most 2 seconds old.' }
)

const sessionSchema = Type.Object(
  {
    sessionId: sessionIdSchema,
    clientId: clientIdSchema,
    keyId: keyIdSchema,
    instanceId: Type.String({ description: 'The instance that serves it.', examples: ['i_Zk3vQ8bN2xLw'] }),
    transport: oneOf(['ws', 'bridge'], 'The transport.'),
    remoteAddress: Type.String({ description: 'IP address of the peer.', examples: ['203.0.113.7'] }),
    attributes: attributesSchema,
    counts: countsSchema,
    openedAt: timeShown('When it began.'),
    lastSeenAt: timeShown('When the peer was last active, as the store knows it.'),
    expiresAt: timeShown('When it ends at the latest.')
  },
  { $id: 'Session', description: 'A live session of a client.' }
)

const topSchema = Type.Object(
  { items: Type.Array(Type.Object({ sessionId: sessionIdSchema, clientId: clientIdSchema, counts: countsSchema })) },
  { $id: 'TopSessions', description: 'Sessions with the most frames.' }
)

const sessionsQuery = Type.Object(
  { ...pageQuerySchema.properties, clientId: Type.Optional(clientIdSchema) },
  { additionalProperties: false }
)
const sessionPageSchema = pageSchema(sessionSchema, 'SessionPage')

export const sessionCalls = {
  list: {
    tags,
    operationId: 'listSessions',
    summary: 'List live sessions',
    description: 'Sessions of all instances, ordered by id. `clientId` selects those of one client.',
    security: needs('admin', 'read'),
    querystring: sessionsQuery,
    response: { 200: refer(sessionPageSchema, 'A page of sessions.') },
    refusals: refusals([400])
  },
  top: {
    tags,
    operationId: 'topSessions',
    summary: 'List the sessions with the most frames',
    description:
      'Sessions of all instances, those with the most frames since their beginning first. `limit`: default 100.',
    security: needs('admin', 'read'),
    querystring: Type.Object({ limit: pageQuerySchema.properties.limit }, { additionalProperties: false }),
    response: { 200: refer(topSchema, 'The sessions with the most frames.') },
    refusals: refusals([400])
  },
  end: {
    tags,
    operationId: 'endSession',
    summary: 'End a session',
    description: 'Ends it with `SESSION_REVOKED`, whichever instance serves it.',
    security: needs('admin'),
    params: Type.Object({ sessionId: sessionIdSchema }),
    response: { 204: noContent('The session ends within 2 seconds.') },
    refusals: refusals([400, 404], { 404: 'the session does not exist' })
  }
} as const

export const sessionSchemas = [sessionSchema, sessionPageSchema, topSchema]
