import { mergeAttributes } from '../../auth/attributes.js'
import type { Attributes, UpstreamMessages } from '../../protocol/messages.js'
import { isTicketId } from '../../registry/tickets.js'
import { StoreUnavailable } from '../../store/store.js'
import type { Handler, HandlerContext, Reply } from './handler.js'

/** The attributes of the session's ticket, which its client cannot change. @throws StoreUnavailable */
async function fixedAttributes({ dependencies, peer }: HandlerContext): Promise<Attributes> {
  if (!isTicketId(peer.keyId)) return {}
  const ticket = await dependencies.registry.tickets.get(peer.clientId, peer.keyId)
  if (ticket === undefined) throw new StoreUnavailable(new Error('the ticket of the session is not there'), 'unsent')
  return ticket.attributes
}

/** PROTOCOL §15: replaces the attributes that the client gave in its handshake. */
export const attributes: Handler<UpstreamMessages['attributes']> = async (context, message): Promise<Reply> => {
  const { dependencies, peer } = context
  const merged = mergeAttributes(message.attributes, await fixedAttributes(context), 'INVALID_MESSAGE')
  // Updated here first, so that another registration of the session uses the new ones.
  context.changeAttributes(merged)
  await dependencies.store.sessions.setAttributes(peer.sessionId, merged)
  return { type: 'ack' }
}
