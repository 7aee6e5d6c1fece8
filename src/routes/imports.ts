import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { ApiError } from '../errors.js'
import { type Imports, maxChunkLicenses } from '../registry/imports.js'
import { newLicenseSchema, readNewLicense } from './licenses.js'
import { identifierSchema, licenseKeySchema } from './schemas.js'

/** A chunk's body, in bytes: its licenses with long keys and all their attributes. */
const chunkBytes = 4 * 1024 * 1024

const importedLicenseSchema = Type.Object(
  { ...newLicenseSchema.properties, key: licenseKeySchema },
  { additionalProperties: false }
)
const importParams = Type.Object({ importId: identifierSchema })
const chunkSchema = Type.Object(
  {
    licenses: Type.Array(importedLicenseSchema, { minItems: 1, maxItems: maxChunkLicenses })
  },
  { additionalProperties: false }
)

/** `/v1/admin/imports`: many licenses, all or nothing. */
export function importRoutes(imports: Imports): FastifyPluginAsyncTypebox {
  return async app => {
    app.post('/imports', async (request, reply) => {
      const importId = await imports.start(request.actor)
      return reply.code(201).send({ importId })
    })

    app.post(
      '/imports/:importId/licenses',
      { bodyLimit: chunkBytes, schema: { params: importParams, body: chunkSchema } },
      async request => {
        const licenses = request.body.licenses.map((license, index) => {
          try {
            return { ...readNewLicense(license), key: license.key }
          } catch (error) {
            throw error instanceof ApiError ? new ApiError(error.code, error.message, index) : error
          }
        })
        return { accepted: await imports.stage(request.params.importId, licenses, request.actor) }
      }
    )

    app.post('/imports/:importId/commit', { schema: { params: importParams } }, async request => ({
      licenses: await imports.commit(request.params.importId, request.actor)
    }))

    app.delete('/imports/:importId', { schema: { params: importParams } }, async (request, reply) => {
      await imports.abort(request.params.importId, request.actor)
      return reply.code(204).send()
    })
  }
}
