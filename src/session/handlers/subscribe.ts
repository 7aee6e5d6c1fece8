import { maySubscribe, ownChannels } from '../../auth/permissions.js'
import type { Joined, JoinPoint } from '../../channels/types.js'
import { tailBytes } from '../../protocol/frame.js'
import type { Limits } from '../../protocol/limits.js'
import type { UpstreamMessages } from '../../protocol/messages.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { ownersOfSession } from '../../store/owners.js'
import type { Answer, FollowUp, Handler, HandlerContext } from './handler.js'
import { requirePresence } from './presence.js'
import { isWithinDepth, itemBytes, itemOf, newestWithin, type ParsedPublication, parsed } from './publication-items.js'

type Subscribe = UpstreamMessages['subscribe']

/** Most bytes of a `subscribed` without publications. */
function bareBytes(channel: string, epoch: string): number {
  const number = Number.MAX_SAFE_INTEGER
  const bare = { type: 'subscribed', seq: number, re: number, channel, offset: number, epoch, recovered: true }
  return Buffer.byteLength(JSON.stringify({ ...bare, publications: [] })) + tailBytes
}

/** Number of publications, from the first on, that fit into one frame (PROTOCOL §10.3). */
function countFitting(publications: readonly ParsedPublication[], bytes: number, depth: number): number {
  let left = bytes
  for (const [i, each] of publications.entries()) {
    left -= itemBytes(each.publication)
    if (left < 0 || !isWithinDepth(each, depth)) return i
  }
  return publications.length
}

function requireMayJoin({ dependencies, peer, subscriptions }: HandlerContext, channel: string): void {
  if (!maySubscribe(peer, channel))
    throw new ProtocolError('PERMISSION_DENIED', `subscribe: no permission for channel ${channel}`)
  const { channels } = dependencies.settings.limits
  const isAdded = !subscriptions.has(channel) && !ownChannels(peer).includes(channel)
  if (isAdded && subscriptions.count >= channels) {
    throw new ProtocolError(
      'PERMISSION_DENIED',
      `subscribe: the session has joined ${channels} channels, which is the limit`
    )
  }
}

/** @throws ProtocolError INVALID_MESSAGE */
function joinPointOf({ recover, last }: Subscribe, { listBytes }: Limits): JoinPoint | undefined {
  if (last === undefined) return recover
  if (recover !== undefined) throw new ProtocolError('INVALID_MESSAGE', 'last: not together with recover')
  return { last, maxBytes: listBytes }
}

/** PROTOCOL §10.3, §10.6: joins a channel, and recovers every missed publication or none, or begins with the newest. */
export const subscribe: Handler<Subscribe> = async (context, message): Promise<Answer> => {
  const { channel, last, presence = false } = message
  const { peer, subscriptions, dependencies } = context
  const { limits } = dependencies.settings
  if (presence) requirePresence(context, channel)
  const from = joinPointOf(message, limits)
  requireMayJoin(context, channel)
  const isOwn = ownChannels(peer).includes(channel)
  const owners = isOwn ? undefined : ownersOfSession(peer.clientId, peer.ticketOwner)
  const joined = await subscriptions.join(channel, from, owners, presence)
  if (joined.publications.length === 0) {
    const { position, recovered } = joined
    return { type: 'subscribed', channel, ...position, recovered }
  }
  const maxBytes =
    (last === undefined ? limits.frameBytes : limits.listBytes) - bareBytes(channel, joined.position.epoch)
  // A recovery is complete: the rest follows. Of the newest publications, those that do not fit are left out.
  const publications = last === undefined ? joined.publications : newestWithin(joined.publications, maxBytes)
  return answerOf(channel, { ...joined, publications }, maxBytes, limits.depth)
}

/** Puts the publications that fit into the frame, and returns the others to follow it. */
function answerOf(channel: string, joined: Joined, maxBytes: number, depth: number): Answer {
  const { epoch } = joined.position
  const all = parsed(joined.publications)
  const count = countFitting(all, maxBytes, depth)
  const inside = all.slice(0, count)
  const before = (all[0]?.publication.offset ?? 1) - 1
  return [
    {
      ...{ type: 'subscribed', channel, epoch, recovered: joined.recovered },
      // The position after this frame: the publications that follow it are not included.
      offset: inside.at(-1)?.publication.offset ?? before,
      ...(count === 0 ? {} : { publications: inside.map(itemOf) })
    },
    ...all.slice(count).map((each): FollowUp => ({ type: 'publication', channel, epoch, ...itemOf(each) }))
  ]
}
