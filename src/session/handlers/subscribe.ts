import { maySubscribe, ownChannels } from '../../auth/permissions.js'
import { tailBytes } from '../../protocol/frame.js'
import type { Limits } from '../../protocol/limits.js'
import type { UpstreamMessages } from '../../protocol/messages.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import type { StoredPublication } from '../../store/channels.js'
import type { Answer, FollowUp, Handler, HandlerContext } from './handler.js'

/** In a `subscribed` data lies under the frame, the list and its item; in a `publication` only under the frame. */
const levelsAboveData = 3

/** Levels of a JSON value: 0 for what is no array or object. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

function isWithinDepth({ data }: StoredPublication, parsed: unknown, depth: number): boolean {
  // Fewer opening brackets than levels: it need not be walked through.
  return data.length < depth || depthOf(parsed) <= depth
}

/** Bytes of a `subscribed` with nothing in it, at most. */
function bareBytes(channel: string, epoch: string): number {
  const number = Number.MAX_SAFE_INTEGER
  const bare = { type: 'subscribed', seq: number, re: number, channel, offset: number, epoch, recovered: true }
  return Buffer.byteLength(JSON.stringify({ ...bare, publications: [] })) + tailBytes
}

/** Bytes that an item of `publications` adds, at most. */
function itemBytes({ offset, data, publishedAt }: StoredPublication): number {
  return Buffer.byteLength(data) + JSON.stringify({ offset, data: 0, publishedAt }).length
}

/** How many of the first publications fit into one frame (PROTOCOL §10.3). */
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
  if (!maySubscribe(peer, channel)) throw new ProtocolError('PERMISSION_DENIED', `no right to subscribe to ${channel}`)
  const { channels } = dependencies.settings.limits
  const counts = !subscriptions.has(channel) && !ownChannels(peer).includes(channel)
  if (counts && subscriptions.count >= channels) {
    throw new ProtocolError('PERMISSION_DENIED', `a session joins at most ${channels} channels`)
  }
}

/** PROTOCOL §10.3: joins a channel, and brings what was missed: all of it, or nothing. */
export const subscribe: Handler<UpstreamMessages['subscribe']> = async (context, message): Promise<Answer> => {
  const { channel, recover } = message
  requireMayJoin(context, channel)
  const { position, recovered, publications } = await context.subscriptions.join(channel, recover)
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
  const followUps = parsed.slice(count).map(
    ([{ offset, publishedAt }, data]): FollowUp => ({
      type: 'publication',
      channel,
      offset,
      epoch,
      data,
      publishedAt
    })
  )
  return [
    {
      ...{ type: 'subscribed', channel, epoch, recovered },
      // The position after this frame: what follows it is not counted in.
      offset: inside.at(-1)?.[0].offset ?? recover.offset,
      ...(count === 0
        ? {}
        : { publications: inside.map(([{ offset, publishedAt }, data]) => ({ offset, data, publishedAt })) })
    },
    ...followUps
  ]
}
