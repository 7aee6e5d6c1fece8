import Type from 'typebox'
import { needs, refusals } from '../../common/operation.js'
import type { Tag } from '../../common/resource.js'
import { pageQuerySchema, pageSchema, refer, timeShown } from '../../common/schema.js'

/** `/v1/admin/audit`: schemas and operations. */

export const auditTag: Tag = { name: 'Audit log', description: 'Every change, hash-chained from the first entry on.' }
const tags = [auditTag.name]

const auditEntrySchema = Type.Object(
  {
    seq: Type.Integer({ minimum: 1, description: 'Number of the entry, without gaps; from 1 unless the log was cut.' }),
    at: timeShown('When it happened.'),
    actor: Type.String({
      description: '`admin`, `token:<tokenId>`, `client:<clientId>` or `system`.',
      examples: ['admin']
    }),
    action: Type.String({ description: 'The action.', examples: ['client.create'] }),
    target: Type.String({ description: 'The object of the action.', examples: ['client:game-1'] }),
    detail: Type.Unsafe<Readonly<Record<string, unknown>>>({
      type: 'object',
      additionalProperties: true,
      description: 'Details that depend on the action. Never contains a secret.'
    }),
    sealed: Type.Optional(
      Type.String({
        description:
          'The members `hwid` and `attributes` of `detail`, as the store has them. The hash covers this instead of them.'
      })
    ),
    previous: Type.String({ description: 'Hash of the previous entry. Empty for the first one.' }),
    hash: Type.String({ description: 'Keyed hash of this entry.' })
  },
  { $id: 'AuditEntry', description: 'One change: who did what, and when.' }
)

const auditCheckSchema = Type.Object(
  {
    entries: Type.Integer({
      minimum: 0,
      description: 'Number of valid entries, counted from the first one that is kept.'
    }),
    brokenAt: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Number of the first invalid entry. Absent if the whole log is valid.' })
    ),
    cut: Type.Optional(
      Type.Object(
        {
          seq: Type.Integer({ minimum: 1, description: 'Its number.' }),
          hash: Type.String({
            description: 'Its hash, which the oldest entry that is kept names as its previous one.'
          }),
          at: timeShown('When that change happened.')
        },
        {
          description:
            'The newest entry that COUNTERSIGN_AUDIT_DAYS removed, from the sealed anchor. Absent if all entries are kept.'
        }
      )
    )
  },
  { $id: 'AuditCheck' }
)

const auditQuery = Type.Object(
  {
    after: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$', description: 'The `next` of the previous page.' })),
    limit: pageQuerySchema.properties.limit
  },
  { additionalProperties: false }
)
const auditPageSchema = pageSchema(auditEntrySchema, 'AuditPage')

export const auditCalls = {
  list: {
    tags,
    operationId: 'listAudit',
    summary: 'Read the audit log',
    description: 'Oldest entry first. Each entry contains the hash of the previous one and a keyed hash of itself.',
    security: needs('admin', 'read'),
    querystring: auditQuery,
    response: { 200: refer(auditPageSchema, 'A page of entries.') },
    refusals: refusals([400])
  },
  verify: {
    tags,
    operationId: 'verifyAudit',
    summary: 'Verify the audit log',
    description: 'Reads all that is kept of the log, from the sealed anchor of its cut on, and checks every hash.',
    security: needs('admin', 'read'),
    response: { 200: refer(auditCheckSchema, 'The result of the check.') },
    refusals: refusals([])
  }
} as const

export const auditSchemas = [auditEntrySchema, auditPageSchema, auditCheckSchema]
