import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ApiError } from '../../../errors.js'
import type { Imports } from '../../../registry/imports.js'
import { readNewLicense } from '../licenses/routes.js'
import { chunkBytes, importCalls } from './schema.js'

/** `/v1/admin/imports`: many licenses, all or nothing. */
export function importRoutes(imports: Imports): FastifyPluginAsyncTypebox {
  return async app => {
    app.post('/imports', { schema: importCalls.start }, async (request, reply) => {
      const importId = await imports.start(request.actor)
      return reply.code(201).send({ importId })
    })

    app.post('/imports/:importId/licenses', { bodyLimit: chunkBytes, schema: importCalls.stage }, async request => {
      const licenses = request.body.licenses.map((license, index) => {
        try {
          return { ...readNewLicense(license), key: license.key }
        } catch (error) {
          throw error instanceof ApiError ? new ApiError(error.code, error.message, index) : error
        }
      })
      return { accepted: await imports.stage(request.params.importId, licenses, request.actor) }
    })

    app.post('/imports/:importId/commit', { schema: importCalls.commit }, async request => ({
      licenses: await imports.commit(request.params.importId, request.actor)
    }))

    app.delete('/imports/:importId', { schema: importCalls.abort }, async (request, reply) => {
      await imports.abort(request.params.importId, request.actor)
      return reply.code(204).send()
    })
  }
}
