import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { mayPublish } from '../../auth/permissions.js'
import type { ChannelBroker } from '../../channels/types.js'
import { ApiError } from '../../errors.js'
import type { Limits } from '../../protocol/limits.js'
import { adminActor, type Guard } from '../auth.js'
import type { Resource } from '../common/resource.js'
import { dataTextOf } from '../data-text.js'
import { publishCalls, publishSchemas, publishTag } from './schema.js'

export interface PublishDependencies {
  readonly channels: Pick<ChannelBroker, 'publish'>
  readonly limits: Limits
  /** Requires the scope `publish`. */
  readonly guard: Guard
}

function routes({ channels, limits, guard }: PublishDependencies): FastifyPluginAsyncTypebox {
  return async app => {
    app.addHook('preParsing', guard)
    app.post('/publish', { schema: publishCalls.publish }, async request => {
      const { channel, data, idempotencyKey } = request.body
      const { limitedBy, actor } = request
      if (limitedBy !== undefined && !mayPublish(limitedBy.publish, channel)) {
        throw new ApiError('PERMISSION_DENIED', `the publish patterns of this token do not match ${channel}`)
      }
      const text = dataTextOf(data, limits)
      // The prefix separates these keys from those of clients, which have another one.
      const key = idempotencyKey === undefined ? '' : `a:${actor}:${idempotencyKey}`
      const published = await channels.publish(channel, text, {
        idempotencyKey: key,
        ...(actor === adminActor ? {} : { owners: actor })
      })
      if (published === 'conflict') {
        throw new ApiError('BAD_REQUEST', `idempotencyKey ${idempotencyKey} was used with other data`)
      }
      const { offset, epoch, duplicate } = published
      return { offset, epoch, ...(duplicate ? { duplicate } : {}) }
    })
  }
}

/** `POST /v1/publish`: for backends that publish without a session. */
export const publishResource: Resource<PublishDependencies> = { tags: [publishTag], schemas: publishSchemas, routes }
