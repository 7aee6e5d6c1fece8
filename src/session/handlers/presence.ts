import { maySeePresence } from '../../auth/permissions.js'
import { presenceLimit } from '../../protocol/limits.js'
import type { UpstreamMessages } from '../../protocol/messages.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import type { Handler, HandlerContext, Reply } from './handler.js'
import { firstWithin } from './list-entries.js'

/** Most bytes of a `presence` without entries, including its signature. */
const bareBytes = 320

/**
 * Requires that the session may see the presence of a channel, then that presence is kept for it (PROTOCOL §10.7).
 * @throws ProtocolError PERMISSION_DENIED, INVALID_CHANNEL
 */
export function requirePresence({ dependencies, peer }: HandlerContext, channel: string): void {
  if (!maySeePresence(peer.capabilities.presence, channel)) {
    throw new ProtocolError('PERMISSION_DENIED', `presence: no permission for channel ${channel}`)
  }
  if (!dependencies.presence.covers(channel)) {
    throw new ProtocolError('INVALID_CHANNEL', `presence: not kept for channel ${channel} (COUNTERSIGN_PRESENCE)`)
  }
}

/** PROTOCOL §10.7: the sessions that have joined a channel, and their number. */
export const presence: Handler<UpstreamMessages['presence']> = async (context, message): Promise<Reply> => {
  const { channel, limit = presenceLimit } = message
  requirePresence(context, channel)
  const { store, steadyNow } = context.dependencies
  const maxBytes = context.listBytes()
  const at = steadyNow()
  const [count, present] = await Promise.all([
    store.presence.count(channel, at),
    limit === 0 ? [] : store.presence.list(channel, '', limit, at)
  ])
  const entries = await store.sessions.getMany(present.map(({ sessionId }) => sessionId))
  const attributesOf = new Map(entries.map(({ sessionId, attributes }) => [sessionId, attributes]))
  const sessions = present.map(({ sessionId, clientId }) => {
    // A session that has just ended is still present for a moment.
    return { sessionId, clientId, attributes: attributesOf.get(sessionId) ?? {} }
  })
  return { type: 'presence', channel, count, sessions: [...firstWithin(sessions, maxBytes - bareBytes)] }
}
