import { mayPublish } from '../../auth/permissions.js'
import type { UpstreamMessages } from '../../protocol/messages.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import type { Handler, HandlerContext, Reply } from './handler.js'

/**
 * What makes a repeat known. A client's own key counts for all its sessions; without one only a transport on which a
 * message may be handled twice needs any (PROTOCOL §9.4 c).
 */
function idempotencyKeyOf({ peer, mayRunAgain }: HandlerContext, seq: number, given: string | undefined): string {
  // The letter keeps the two apart; neither id has a `:`.
  if (given !== undefined) return `c:${peer.clientId}:${given}`
  return mayRunAgain ? `s:${peer.sessionId}:${seq}` : ''
}

/** PROTOCOL §10.2: to all who have joined the channel. */
export const publish: Handler<UpstreamMessages['publish']> = async (context, message): Promise<Reply> => {
  const { dependencies, peer } = context
  const { channel, idempotencyKey, seq } = message
  if (!mayPublish(peer.capabilities.publish, channel)) {
    throw new ProtocolError('PERMISSION_DENIED', `no right to publish to ${channel}`)
  }
  const data = JSON.stringify(message.data)
  const { dataBytes } = dependencies.settings.limits
  if (Buffer.byteLength(data) > dataBytes) {
    throw new ProtocolError('INVALID_MESSAGE', `data: at most ${dataBytes} bytes of JSON`)
  }
  const published = await dependencies.channels.publish(channel, data, idempotencyKeyOf(context, seq, idempotencyKey))
  if (published === 'conflict') {
    throw new ProtocolError('INVALID_MESSAGE', 'idempotencyKey: it was used with other data')
  }
  const { offset, epoch, duplicate } = published
  // Whoever gave no key did not repeat anything, even where its message was handled twice.
  const repeated = duplicate && idempotencyKey !== undefined
  return { type: 'published', channel, offset, epoch, ...(repeated ? { duplicate: true } : {}) }
}
