import { maySubscribe, ownChannels } from '../../auth/permissions.js'
import { tailBytes } from '../../protocol/frame.js'
import type { UpstreamMessages } from '../../protocol/messages.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { ownersOfSession } from '../../store/owners.js'
import type { Handler, Reply } from './handler.js'
import { isWithinDepth, itemOf, newestWithin, parsed } from './publication-items.js'

const defaultLimit = 20

/** The most bytes that a `history` without publications has. */
function bareBytes(channel: string, epoch: string): number {
  const number = Number.MAX_SAFE_INTEGER
  const bare = { type: 'history', seq: number, re: number, channel, epoch, publications: [], more: false }
  return Buffer.byteLength(JSON.stringify(bare)) + tailBytes
}

/** PROTOCOL §10.6: the newest publications that are still kept, or those just before a position. It joins nothing. */
export const history: Handler<UpstreamMessages['history']> = async (context, message): Promise<Reply> => {
  const { channel, before, limit = defaultLimit } = message
  const { dependencies, peer } = context
  const { limits } = dependencies.settings
  if (!maySubscribe(peer, channel)) {
    throw new ProtocolError('PERMISSION_DENIED', `history: no permission for channel ${channel}`)
  }
  const maxBytes = context.listBytes()
  const isOwn = ownChannels(peer).includes(channel)
  const owners = isOwn ? undefined : ownersOfSession(peer.clientId, peer.ticketOwner)
  const page = await dependencies.channels.readPage(channel, { before, limit, maxBytes }, owners)
  const { epoch } = page.top
  const fitting = newestWithin(page.publications, maxBytes - bareBytes(channel, epoch))
  const more = page.more || fitting.length < page.publications.length
  // Data that nests too deep for a list is left out: only a `publication` can carry it.
  const publications = parsed(fitting).filter(each => isWithinDepth(each, limits.depth))
  return { type: 'history', channel, epoch, publications: publications.map(itemOf), more }
}
