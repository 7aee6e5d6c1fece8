import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ApiError } from '../../../errors.js'
import type { PresenceTracker } from '../../../session/presence.js'
import type { PresenceStore } from '../../../store/presence.js'
import { pageOf } from '../../values.js'
import { presenceCalls } from './schema.js'

/** `/v1/admin/channels/{channel}/presence`: who is in a channel. */
export function presenceRoutes(
  store: PresenceStore,
  { covers }: Pick<PresenceTracker, 'covers'>,
  now: () => number
): FastifyPluginAsyncTypebox {
  return async app => {
    app.get('/channels/:channel/presence', { schema: presenceCalls.list }, async request => {
      const { channel } = request.params
      if (!covers(channel)) {
        throw new ApiError(
          'NOT_FOUND',
          `no presence is kept of ${channel}: set COUNTERSIGN_PRESENCE to a pattern that it fits`
        )
      }
      const at = now()
      const [count, page] = await Promise.all([
        store.count(channel, at),
        pageOf(
          request.query,
          (after, limit) => store.list(channel, after, limit, at),
          ({ sessionId }) => sessionId,
          ({ sessionId, clientId }) => ({ sessionId, clientId })
        )
      ])
      return { channel, count, ...page }
    })
  }
}
