import Type from 'typebox'
import { needs, refusals } from '../../common/operation.js'
import type { Tag } from '../../common/resource.js'
import { pageQuerySchema, refer } from '../../common/schema.js'

/** `/v1/admin/keys/reencrypt`: schemas and operation. */

export const upkeepTag: Tag = { name: 'Upkeep', description: 'Completing a change of the master key.' }

const reencryptedSchema = Type.Object(
  {
    resealed: Type.Integer({
      minimum: 0,
      description: 'Number of records and tickets on this page that were sealed again.'
    }),
    unreadable: Type.Optional(
      Type.Integer({
        minimum: 1,
        description:
          'Number of records, keys and tickets on this page that do not open under any of the master keys. They stay as they are; the log names them. Absent: none.'
      })
    ),
    next: Type.Optional(Type.String({ description: 'The `after` of the next call. Absent when everything is done.' }))
  },
  { $id: 'Reencrypted' }
)

export const upkeepCalls = {
  reencrypt: {
    tags: [upkeepTag.name],
    operationId: 'reencrypt',
    summary: 'Seal everything under the new master key',
    description:
      'After a change of the master key, seals again the records and tickets that are still under an old key, one page per call. Repeat until `next` is absent; then the old key is no longer needed.',
    security: needs('admin'),
    querystring: pageQuerySchema,
    response: { 200: refer(reencryptedSchema, 'The page is done.') },
    refusals: refusals([400, 413, 415])
  }
} as const

export const upkeepSchemas = [reencryptedSchema]
