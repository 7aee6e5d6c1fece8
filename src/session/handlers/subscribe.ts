import { maySubscribe, ownChannels } from '../../auth/permissions.js'
import { tailBytes } from '../../protocol/frame.js'
import type { Limits } from '../../protocol/limits.js'
import type { DownstreamMessages, UpstreamMessages } from '../../protocol/messages.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import type { StoredPublication } from '../../store/channels.js'
import { ownersOfSession, publisherOf } from '../../store/owners.js'
import type { Answer, FollowUp, Handler, HandlerContext } from './handler.js'

type PublicationItem = NonNullable<DownstreamMessages['subscribed']['publications']>[number]

/** A `subscribed` nests data in the frame, the list and the item; a `publication` only in the frame. */
const levelsAboveData = 3

/** Levels of a JSON value: 0 for anything but an array or object. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

function isWithinDepth({ data }: StoredPublication, parsed: unknown, depth: number): boolean {
  // Text this short cannot nest too deep, so most data is not walked.
  return data.length < depth || depthOf(parsed) <= depth
}

/** The most bytes that a `subscribed` without publications has. */
function bareBytes(channel: string, epoch: string): number {
  const number = Number.MAX_SAFE_INTEGER
  const bare = { type: 'subscribed', seq: number, re: number, channel, offset: number, epoch, recovered: true }
  return Buffer.byteLength(JSON.stringify({ ...bare, publications: [] })) + tailBytes
}

/** A publication as an item of a list, with its data parsed. */
function itemOf({ offset, publishedAt, owners = '' }: StoredPublication, data: unknown): PublicationItem {
  const publisher = publisherOf(owners)
  return { offset, data, publishedAt, ...(publisher === undefined ? {} : { publisher }) }
}

/** The most bytes that one item of `publications` adds. */
function itemBytes(publication: StoredPublication): number {
  return Buffer.byteLength(publication.data) + JSON.stringify(itemOf(publication, 0)).length
}

/** How many publications, from the first on, fit into one frame (PROTOCOL §10.3). */
function countFitting(
  publications: readonly (readonly [StoredPublication, unknown])[],
  bytes: number,
  depth: number
): number {
  let left = bytes
  for (const [i, [publication, parsed]] of publications.entries()) {
    left -= itemBytes(publication)
    if (left < 0 || !isWithinDepth(publication, parsed, depth)) return i
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

/** PROTOCOL §10.3: joins a channel, and recovers every missed publication, or none. */
export const subscribe: Handler<UpstreamMessages['subscribe']> = async (context, message): Promise<Answer> => {
  const { channel, recover } = message
  requireMayJoin(context, channel)
  const { peer, subscriptions } = context
  const isOwn = ownChannels(peer).includes(channel)
  const owners = isOwn ? undefined : ownersOfSession(peer.clientId, peer.ticketOwner)
  const { position, recovered, publications } = await subscriptions.join(channel, recover, owners)
  const { epoch } = position
  if (recover === undefined || !recovered || publications.length === 0) {
    return { type: 'subscribed', channel, ...position, recovered }
  }
  const { frameBytes, depth }: Limits = context.dependencies.settings.limits
  const parsed = publications.map((publication): [StoredPublication, unknown] => [
    publication,
    JSON.parse(publication.data)
  ])
  const count = countFitting(parsed, frameBytes - bareBytes(channel, epoch), depth - levelsAboveData)
  const inside = parsed.slice(0, count)
  const followUps = parsed
    .slice(count)
    .map(([publication, data]): FollowUp => ({ type: 'publication', channel, epoch, ...itemOf(publication, data) }))
  return [
    {
      ...{ type: 'subscribed', channel, epoch, recovered },
      // The position after this frame: the publications that follow it are not included.
      offset: inside.at(-1)?.[0].offset ?? recover.offset,
      ...(count === 0 ? {} : { publications: inside.map(([publication, data]) => itemOf(publication, data)) })
    },
    ...followUps
  ]
}
