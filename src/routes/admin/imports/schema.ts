import Type from 'typebox'
import { maxChunkLicenses } from '../../../registry/imports.js'
import { needs, nothing, ofBody, refusals } from '../../common/operation.js'
import { identifier, list, refer } from '../../common/schema.js'
import { importedLicenseSchema } from '../licenses/schema.js'

/** `/v1/admin/imports`: its shapes and calls. */

/** A chunk's body, in bytes: its licenses with long keys and all their attributes. */
export const chunkBytes = 4 * 1024 * 1024

const importIdSchema = identifier('The import, made by the gateway.', 'imp_4d7c1b9e')
const importParams = Type.Object({ importId: importIdSchema })

const createdImportSchema = Type.Object({ importId: importIdSchema }, { $id: 'CreatedImport' })

const chunkSchema = Type.Object(
  {
    licenses: list(refer(importedLicenseSchema), {
      minItems: 1,
      maxItems: maxChunkLicenses,
      description: 'Each with a key of its own.'
    })
  },
  {
    $id: 'ImportChunk',
    additionalProperties: false,
    examples: [{ licenses: [{ serviceId: 'my-game', key: 'ABCDE-FGHJK-MNPQR-STVWX-YZ234' }] }]
  }
)

const acceptedSchema = Type.Object(
  { accepted: Type.Integer({ minimum: 1, description: 'Licenses of this chunk.', examples: [500] }) },
  { $id: 'ImportAccepted' }
)
const committedSchema = Type.Object(
  { licenses: Type.Integer({ minimum: 0, description: 'Licenses of the whole import.', examples: [1200] }) },
  { $id: 'ImportCommitted' }
)

const tags = ['Imports']
const notOpen = { 404: 'there is no such import', 409: 'the import is over' }

export const importCalls = {
  start: {
    tags,
    operationId: 'startImport',
    summary: 'Start an import',
    description: 'One import runs at a time: a new one ends another that was left open, and clears what it had staged.',
    security: needs('admin'),
    response: {
      201: refer(createdImportSchema, 'The import is open.')
    },
    refusals: refusals([...ofBody, 409], { 409: 'another import was started at the same time' })
  },
  stage: {
    tags,
    operationId: 'stageLicenses',
    summary: 'Add licenses to an import',
    description: `A chunk of at most ${maxChunkLicenses} licenses and ${chunkBytes / 1024 / 1024} MiB: all of it or nothing. Nobody sees them yet. A refusal’s \`index\` says which license it is about.`,
    security: needs('admin'),
    params: importParams,
    body: refer(chunkSchema),
    response: {
      200: refer(acceptedSchema, 'The chunk is staged.')
    },
    refusals: refusals([...ofBody, 404, 409], {
      404: 'there is no such import',
      409: 'the import is over, or the service has a license with this key (see `index`)'
    })
  },
  commit: {
    tags,
    operationId: 'commitImport',
    summary: 'Commit an import',
    description: 'All of its licenses are there, at once.',
    security: needs('admin'),
    params: importParams,
    response: { 200: refer(committedSchema, 'The import is done.') },
    refusals: refusals([...ofBody, 404, 409], notOpen)
  },
  abort: {
    tags,
    operationId: 'abortImport',
    summary: 'Abort an import',
    description: 'As if it had never been.',
    security: needs('admin'),
    params: importParams,
    response: { 204: nothing('Nothing of it is left.') },
    refusals: refusals([400, 404, 409], notOpen)
  }
} as const

export const importSchemas = [createdImportSchema, chunkSchema, acceptedSchema, committedSchema]
