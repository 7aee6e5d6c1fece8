import Type from 'typebox'
import { needs, nothing, refusals } from '../../common/operation.js'
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

/** `/v1/admin/sessions`, `/v1/admin/audit` and the change of the master key: their shapes and calls. */

export const sessionIdSchema = Type.String({
  pattern: '^[A-Za-z0-9_-]{22,64}$',
  description: 'The session.',
  examples: ['u5Xb2mQ9vT1kLr8wZc4eYh0s']
})

const sessionSchema = Type.Object(
  {
    sessionId: sessionIdSchema,
    clientId: clientIdSchema,
    keyId: keyIdSchema,
    instanceId: Type.String({ description: 'The instance that holds it.', examples: ['i_Zk3vQ8bN2xLw'] }),
    transport: oneOf(['ws', 'bridge'], 'Over what it runs.'),
    remoteAddress: Type.String({ description: 'Where the peer is.', examples: ['203.0.113.7'] }),
    attributes: attributesSchema,
    openedAt: timeShown('When it began.'),
    lastSeenAt: timeShown('Its last sign of life, as the store knows it.'),
    expiresAt: timeShown('When it ends at the latest.')
  },
  { $id: 'Session', description: 'Who is on.' }
)

const auditEntrySchema = Type.Object(
  {
    seq: Type.Integer({ minimum: 1, description: 'Its number, from 1, without gaps.' }),
    at: timeShown('When.'),
    actor: Type.String({
      description: '`admin`, `token:<tokenId>`, `client:<clientId>` or `system`.',
      examples: ['admin']
    }),
    action: Type.String({ description: 'What was done.', examples: ['client.create'] }),
    target: Type.String({ description: 'What it was done to.', examples: ['client:game-1'] }),
    detail: Type.Unsafe<Readonly<Record<string, unknown>>>({
      type: 'object',
      additionalProperties: true,
      description: 'More of it, by action. Never a secret.'
    }),
    previous: Type.String({ description: 'The hash of the entry before; empty for the first.' }),
    hash: Type.String({ description: 'A keyed hash of the entry itself.' })
  },
  { $id: 'AuditEntry', description: 'Who did what, when.' }
)

const auditCheckSchema = Type.Object(
  {
    entries: Type.Integer({ minimum: 0, description: 'How many entries hold, from the first.' }),
    brokenAt: Type.Optional(Type.Integer({ minimum: 1, description: 'The first that does not. Missing: all hold.' }))
  },
  { $id: 'AuditCheck' }
)

const reencryptedSchema = Type.Object(
  {
    resealed: Type.Integer({ minimum: 0, description: 'Secrets of this page that were sealed anew.' }),
    next: Type.Optional(Type.String({ description: 'The `after` of the next call. Missing: all is done.' }))
  },
  { $id: 'Reencrypted' }
)

const sessionsQuery = Type.Object(
  { ...pageQuerySchema.properties, clientId: Type.Optional(clientIdSchema) },
  { additionalProperties: false }
)
const auditQuery = Type.Object(
  {
    after: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$', description: 'The `next` of the page before.' })),
    limit: pageQuerySchema.properties.limit
  },
  { additionalProperties: false }
)

const sessionPageSchema = pageSchema(sessionSchema, 'SessionPage')
const auditPageSchema = pageSchema(auditEntrySchema, 'AuditPage')

export const sessionCalls = {
  list: {
    tags: ['Sessions'],
    operationId: 'listSessions',
    summary: 'List live sessions',
    description: 'Of all instances, in the order of their ids; of one client where `clientId` is given.',
    security: needs('admin', 'read'),
    querystring: sessionsQuery,
    response: { 200: refer(sessionPageSchema, 'A page of sessions.') },
    refusals: refusals([400])
  },
  end: {
    tags: ['Sessions'],
    operationId: 'endSession',
    summary: 'End a session',
    description: 'It ends with `SESSION_REVOKED`, on whichever instance it is.',
    security: needs('admin'),
    params: Type.Object({ sessionId: sessionIdSchema }),
    response: { 204: nothing('It is told to end.') },
    refusals: refusals([400, 404], { 404: 'there is no such session' })
  }
} as const

export const auditCalls = {
  list: {
    tags: ['Audit log'],
    operationId: 'listAudit',
    summary: 'Read the audit log',
    description: 'Oldest first. Each entry carries the hash of the one before, and a keyed hash of itself.',
    security: needs('admin', 'read'),
    querystring: auditQuery,
    response: { 200: refer(auditPageSchema, 'A page of entries.') },
    refusals: refusals([400])
  },
  verify: {
    tags: ['Audit log'],
    operationId: 'verifyAudit',
    summary: 'Verify the audit log',
    description: 'Reads the whole log and checks every hash.',
    security: needs('admin', 'read'),
    response: { 200: refer(auditCheckSchema, 'How far the log holds.') },
    refusals: refusals([])
  }
} as const

export const upkeepCalls = {
  reencrypt: {
    tags: ['Upkeep'],
    operationId: 'reencrypt',
    summary: 'Seal secrets under the new master key',
    description:
      'After a change of the master key: seals anew what is still under an old one, a page of clients at a time. Call it until `next` is missing; then the old key can go.',
    security: needs('admin'),
    querystring: pageQuerySchema,
    response: { 200: refer(reencryptedSchema, 'The page is done.') },
    refusals: refusals([400, 413, 415])
  }
} as const

export const sessionSchemas = [
  sessionSchema,
  sessionPageSchema,
  auditEntrySchema,
  auditPageSchema,
  auditCheckSchema,
  reencryptedSchema
]
