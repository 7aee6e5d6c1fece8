import { mayListSessions } from '../../auth/permissions.js'
import type { UpstreamMessages } from '../../protocol/messages.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import type { Handler, Reply } from './handler.js'
import { firstWithin } from './list-entries.js'

const defaultLimit = 50
/** Most bytes of a `sessions` without entries, including its signature and `next`. */
const bareBytes = 256

/** PROTOCOL §15: the live sessions of a client, on all instances. */
export const sessions: Handler<UpstreamMessages['sessions']> = async (context, message): Promise<Reply> => {
  const { clientId, limit = defaultLimit, after = '' } = message
  const { dependencies, peer } = context
  if (!mayListSessions(peer.capabilities.call, clientId)) {
    throw new ProtocolError('PERMISSION_DENIED', `sessions: no permission to call client ${clientId}`)
  }
  const maxBytes = context.listBytes()
  const page = await dependencies.directory.list(clientId, after, limit)
  const listed = firstWithin(page.sessions, maxBytes - bareBytes)
  const next = listed.length < page.sessions.length ? listed.at(-1)?.sessionId : page.next
  return { type: 'sessions', sessions: [...listed], ...(next === undefined ? {} : { next }) }
}
