import { mayPublish } from '../../auth/permissions.js'
import type { PublishRequest } from '../../channels/types.js'
import type { UpstreamMessages } from '../../protocol/messages.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { whenReady } from '../../store/maybe-promise.js'
import { ownersOfSession } from '../../store/owners.js'
import { dataTextOf } from './data-text.js'
import type { Handler, HandlerContext, Reply } from './handler.js'

/**
 * The key that identifies a repeat. A key from the client covers all its sessions. Without one, only a transport on
 * which a message may be handled twice needs a key (PROTOCOL §9.4 c).
 */
function requestOf({ peer, mayRunAgain }: HandlerContext, seq: number, given: string | undefined): PublishRequest {
  const { clientId, sessionId } = peer
  const owners = ownersOfSession(clientId, peer.ticketOwner)
  // The first letter separates the two kinds. Ids contain no `:`.
  if (given !== undefined) return { idempotencyKey: `c:${clientId}:${given}`, owners }
  if (!mayRunAgain) return { idempotencyKey: '', owners }
  return { idempotencyKey: `s:${sessionId}:${seq}`, owners, sessionId }
}

/** PROTOCOL §10.2: publishes to all sessions that have joined the channel. */
export const publish: Handler<UpstreamMessages['publish']> = (context, message) => {
  const { dependencies, peer } = context
  const { channel, idempotencyKey, seq } = message
  if (!mayPublish(peer.capabilities.publish, channel)) {
    throw new ProtocolError('PERMISSION_DENIED', `publish: no permission for channel ${channel}`)
  }
  const data = dataTextOf(message.data, dependencies.settings.limits)
  const publishing = dependencies.channels.publish(channel, data, requestOf(context, seq, idempotencyKey))
  return whenReady(publishing, (published): Reply => {
    if (published === 'conflict') {
      throw new ProtocolError('INVALID_MESSAGE', 'idempotencyKey: already used with other data')
    }
    const { offset, epoch, duplicate } = published
    // Without a key from the client it is not a repeat, even if its message was handled twice.
    const isRepeat = duplicate && idempotencyKey !== undefined
    return { type: 'published', channel, offset, epoch, ...(isRepeat ? { duplicate: true } : {}) }
  })
}
