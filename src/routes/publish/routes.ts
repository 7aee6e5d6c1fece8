import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { mayPublish } from '../../auth/permissions.js'
import type { ChannelBroker } from '../../channels/types.js'
import { ApiError } from '../../errors.js'
import { scanFrameText } from '../../protocol/json-scan.js'
import type { Limits } from '../../protocol/limits.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { adminActor, type Guard } from '../auth.js'
import type { Resource } from '../common/resource.js'
import { publishCalls, publishSchemas, publishTag } from './schema.js'

export interface PublishDependencies {
  readonly channels: Pick<ChannelBroker, 'publish'>
  readonly limits: Limits
  /** Requires the scope `publish`. */
  readonly guard: Guard
}

/** JSON.parse turns 1e400 into Infinity, which JSON.stringify would write as null. */
function requireFinite(_name: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new ApiError('BAD_REQUEST', 'data contains a number that is too large for a double')
  }
  return value
}

/**
 * Serializes the data of a publication. It must fit into a frame (PROTOCOL §2.3, §10.2).
 * @throws ApiError BAD_REQUEST
 */
function serialize(data: unknown, { dataBytes, depth }: Limits): string {
  const text = JSON.stringify(data, requireFinite)
  const bytes = Buffer.byteLength(text)
  if (bytes > dataBytes) {
    throw new ApiError('BAD_REQUEST', `data is ${bytes} bytes of JSON; the limit is ${dataBytes} (limits.dataBytes)`)
  }
  try {
    scanFrameText(`{"data":${text}}`, depth)
  } catch (error) {
    if (error instanceof ProtocolError) throw new ApiError('BAD_REQUEST', `data: ${error.message}`)
    throw error
  }
  return text
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
      const text = serialize(data, limits)
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
