import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ApiError } from '../../../errors.js'
import { parseImportedLicense } from '../licenses/routes.js'
import type { AdminDependencies, AdminResource } from '../resource.js'
import { chunkBytes, type ImportChunkBody, importCalls, importSchemas, importTag } from './schema.js'

/** @throws ApiError with the index of the first invalid license */
function parseChunk({ licenses }: ImportChunkBody) {
  return licenses.map((license, index) => {
    try {
      return parseImportedLicense(license)
    } catch (error) {
      throw error instanceof ApiError ? new ApiError(error.code, error.message, { index }) : error
    }
  })
}

function routes({ registry: { imports } }: AdminDependencies): FastifyPluginAsyncTypebox {
  return async app => {
    app.post('/imports', { schema: importCalls.start }, async (request, reply) => {
      const importId = await imports.start(request.actor)
      return reply.code(201).send({ importId })
    })

    app.post('/imports/:importId/licenses', { bodyLimit: chunkBytes, schema: importCalls.stage }, async request => ({
      accepted: await imports.stage(request.params.importId, parseChunk(request.body), request.actor)
    }))

    app.post('/imports/:importId/commit', { schema: importCalls.commit }, async request => ({
      licenses: await imports.commit(request.params.importId, request.actor)
    }))

    app.delete('/imports/:importId', { schema: importCalls.abort }, async (request, reply) => {
      await imports.abort(request.params.importId, request.actor)
      return reply.code(204).send()
    })
  }
}

/** `/v1/admin/imports`: imports of many licenses, all or nothing. */
export const importResource: AdminResource = { tags: [importTag], schemas: importSchemas, routes }
