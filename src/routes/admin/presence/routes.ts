import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ApiError } from '../../../errors.js'
import { pageOf } from '../../values.js'
import type { AdminDependencies, AdminResource } from '../resource.js'
import { presenceCalls, presenceSchemas } from './schema.js'

function routes({ store, presence, steadyNow }: AdminDependencies): FastifyPluginAsyncTypebox {
  return async app => {
    app.get('/channels/:channel/presence', { schema: presenceCalls.list }, async request => {
      const { channel } = request.params
      if (!presence.covers(channel)) {
        throw new ApiError(
          'NOT_FOUND',
          `no presence is kept of ${channel}: add a matching pattern to COUNTERSIGN_PRESENCE`
        )
      }
      const at = steadyNow()
      const [count, page] = await Promise.all([
        store.presence.count(channel, at),
        pageOf(
          request.query,
          (after, limit) => store.presence.list(channel, after, limit, at),
          ({ sessionId }) => sessionId,
          ({ sessionId, clientId }) => ({ sessionId, clientId })
        )
      ])
      return { channel, count, ...page }
    })
  }
}

/** `/v1/admin/channels/{channel}/presence`: the subscribers of a channel. */
export const presenceResource: AdminResource = { tags: [], schemas: presenceSchemas, routes }
