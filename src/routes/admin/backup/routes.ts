import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { AdminDependencies, AdminResource } from '../resource.js'
import { backupCalls, backupSchemas, backupTag, chunkBytes } from './schema.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Scope `read` does not suffice, although the call changes nothing. */
    needsAdmin?: true
  }
}

function routes({ registry }: AdminDependencies): FastifyPluginAsyncTypebox {
  const { restores } = registry
  return async app => {
    app.get('/backup', { config: { needsAdmin: true }, schema: backupCalls.backup }, async (request, reply) => {
      const pieces = Readable.from(await registry.backup(request.actor))
      // The schema describes the contents of the stream.
      return reply.type('application/x-ndjson').send(pieces as unknown as string)
    })

    app.post('/restore', { schema: backupCalls.start }, async (request, reply) =>
      reply.code(201).send({ restoreId: await restores.start(request.body) })
    )

    app.post(
      '/restore/:restoreId',
      { bodyLimit: chunkBytes, schema: backupCalls.stage },
      async ({ params, body }, reply) => {
        await restores.stage(params.restoreId, body)
        return reply.code(204).send()
      }
    )

    app.post('/restore/:restoreId/commit', { schema: backupCalls.commit }, ({ params, body, actor }) =>
      restores.commit(params.restoreId, body.header, body.trailer, actor)
    )

    app.delete('/restore/:restoreId', { schema: backupCalls.abort }, async ({ params }, reply) => {
      await restores.abort(params.restoreId)
      return reply.code(204).send()
    })
  }
}

/** `/v1/admin/backup` and `/v1/admin/restore`: all durable data, as stored. */
export const backupResource: AdminResource = { tags: [backupTag], schemas: backupSchemas, routes }
