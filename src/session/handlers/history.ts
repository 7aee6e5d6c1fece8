import { maySubscribe, ownChannels } from '../../auth/permissions.js'
import { tailBytes } from '../../protocol/frame.js'
import type { UpstreamMessages } from '../../protocol/messages.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import type { Position } from '../../store/channels.js'
import { ownersOfSession } from '../../store/owners.js'
import type { Handler, Reply } from './handler.js'
import { isWithinDepth, itemOf, newestWithin, parsed } from './publication-items.js'

const defaultLimit = 20
/** Publications of each further read for one page. The bytes of a history bound the number of these reads. */
const readOnLimit = 512

/** Most bytes of a `history` without publications. */
function bareBytes(channel: string, epoch: string): number {
  const number = Number.MAX_SAFE_INTEGER
  const bare = { type: 'history', seq: number, re: number, channel, epoch, publications: [], more: false }
  return Buffer.byteLength(JSON.stringify(bare)) + tailBytes
}

/**
 * PROTOCOL §10.6: the newest publications that are still kept, or those just before a position. Does not join the
 * channel.
 */
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
  const read = (before: Position | undefined, most: number) =>
    dependencies.channels.readPage(channel, { before, limit: most, maxBytes }, owners)
  let page = await read(before, limit)
  let fitting = parsed(page.publications).filter(each => isWithinDepth(each, limits.depth))
  // Data nested too deep for a list is left out: only a `publication` can hold it. An empty page would give its reader
  // no position to continue from.
  for (let first = page.publications[0]; fitting.length === 0 && page.more && first !== undefined; ) {
    page = await read({ offset: first.offset, epoch: page.top.epoch }, readOnLimit)
    fitting = parsed(page.publications).filter(each => isWithinDepth(each, limits.depth))
    first = page.publications[0]
  }
  const { epoch } = page.top
  const wanted = fitting.slice(-limit).map(({ publication }) => publication)
  const count = newestWithin(wanted, maxBytes - bareBytes(channel, epoch)).length
  const publications = fitting.slice(fitting.length - count).map(itemOf)
  return { type: 'history', channel, epoch, publications, more: page.more || count < fitting.length }
}
