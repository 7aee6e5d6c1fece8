import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { mayPublish } from '../../auth/permissions.js'
import type { ChannelBroker } from '../../channels/types.js'
import { ApiError } from '../../errors.js'
import { scanFrameText } from '../../protocol/json-scan.js'
import type { Limits } from '../../protocol/limits.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import type { Guard } from '../auth.js'
import { publishCalls } from './schema.js'

/** What JSON.parse makes of 1e400 would be written as null. */
function requireFinite(_name: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new ApiError('BAD_REQUEST', 'data: a number too large')
  return value
}

/**
 * The text of a publication's data: it must be fit for a frame, as what comes in one is already (PROTOCOL §2.3, §10.2).
 * @throws ApiError BAD_REQUEST
 */
function encode(data: unknown, { dataBytes, depth }: Limits): string {
  const text = JSON.stringify(data, requireFinite)
  if (Buffer.byteLength(text) > dataBytes) throw new ApiError('BAD_REQUEST', `data: at most ${dataBytes} bytes of JSON`)
  try {
    scanFrameText(`{"data":${text}}`, depth)
  } catch (error) {
    if (error instanceof ProtocolError) throw new ApiError('BAD_REQUEST', `data: ${error.message}`)
    throw error
  }
  return text
}

/** `POST /v1/publish`: for backends that have something to tell and need no session. */
export function publishRoutes(channels: ChannelBroker, limits: Limits, guard: Guard): FastifyPluginAsyncTypebox {
  return async app => {
    app.addHook('preParsing', guard)
    app.post('/publish', { schema: publishCalls.publish }, async request => {
      const { channel, data, idempotencyKey } = request.body
      const { cappedBy, actor } = request
      if (cappedBy !== undefined && !mayPublish(cappedBy.publish, channel)) {
        throw new ApiError('PERMISSION_DENIED', `this token may not publish to ${channel}`)
      }
      const text = encode(data, limits)
      // Apart from the keys of clients: theirs begin with another letter.
      const key = idempotencyKey === undefined ? '' : `a:${actor}:${idempotencyKey}`
      const published = await channels.publish(channel, text, key)
      if (published === 'conflict') throw new ApiError('BAD_REQUEST', 'idempotencyKey: it was used with other data')
      const { offset, epoch, duplicate } = published
      return { offset, epoch, ...(duplicate ? { duplicate } : {}) }
    })
  }
}
