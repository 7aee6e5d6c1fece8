import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { parseLimit } from '../../values.js'
import type { AdminDependencies, AdminResource } from '../resource.js'
import { upkeepCalls, upkeepSchemas, upkeepTag } from './schema.js'

function routes({ registry }: AdminDependencies): FastifyPluginAsyncTypebox {
  return async app => {
    app.post('/keys/reencrypt', { schema: upkeepCalls.reencrypt }, async request => {
      const { after = '' } = request.query
      const limit = parseLimit(request.query.limit)
      // The pepper belongs to no page of clients; the first call covers it.
      const pepper = after === '' && (await registry.reencryptPepper(request.actor)) ? 1 : 0
      const { resealed, next } = await registry.clients.reencrypt(after, limit, request.actor)
      return { resealed: resealed + pepper, ...(next === undefined ? {} : { next }) }
    })
  }
}

/** `/v1/admin/keys/reencrypt`: completes a change of the master key. */
export const upkeepResource: AdminResource = { tags: [upkeepTag], schemas: upkeepSchemas, routes }
