import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { parseLimit } from '../../values.js'
import type { AdminDependencies, AdminResource } from '../resource.js'
import { upkeepCalls, upkeepSchemas, upkeepTag } from './schema.js'

function routes({ registry }: AdminDependencies): FastifyPluginAsyncTypebox {
  return async app => {
    app.post('/keys/reencrypt', { schema: upkeepCalls.reencrypt }, ({ query, actor }) =>
      registry.reencrypt(query.after ?? '', parseLimit(query.limit), actor)
    )
  }
}

/** `/v1/admin/keys/reencrypt`: completes a change of the master key. */
export const upkeepResource: AdminResource = { tags: [upkeepTag], schemas: upkeepSchemas, routes }
