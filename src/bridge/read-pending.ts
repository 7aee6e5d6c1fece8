import type { ChannelBroker } from '../channels/types.js'
import { outboxFrames } from '../protocol/limits.js'
import { frameOverheadBytes } from '../session/live-calls.js'
import type { Outgoing } from '../session/outbox.js'
import type { PresenceTracker } from '../session/presence.js'
import { PresenceDelta, presenceChannelOf, subjectOf } from '../session/presence-changes.js'
import { publicationMembers } from '../session/publication.js'
import type { Position } from '../store/channels.js'
import type { MaybePromise } from '../store/maybe-promise.js'
import { noChanges, type PositionChanges, type Positions } from './positions.js'
import type { PresencePacer } from './presence-pacer.js'

/** The end of a publication's frame, see `publicationMembers`. */
export type PublicationText = string

/** Publications after a session's positions, as frames to be signed, and the positions behind them. */
export interface PendingFrames {
  readonly outgoing: readonly (Outgoing | PublicationText)[]
  readonly positions: PositionChanges
  /** More publications are pending than fit. */
  readonly isCut: boolean
}

/** Every position is the top of its channel. */
const nothingPending: PendingFrames = { outgoing: [], positions: noChanges, isCut: false }

/** Nothing was read because nothing would fit. */
export const cutOff: PendingFrames = { outgoing: [], positions: noChanges, isCut: true }

/** The session is more publications behind than its outbox holds frames (PROTOCOL §11). */
export class HistoryGap extends Error {
  override readonly name = 'HistoryGap'
}

/** The reading session, as far as its changes of presence depend on it. */
export interface PendingReader {
  readonly sessionId: string
  readonly pacer: PresencePacer
  readonly presence: Pick<PresenceTracker, 'watched'>
}

/**
 * Reads publications after the positions, channel by channel, and changes of presence when they are due.
 * @param maxBytes estimated size of the frames; at least one frame is returned if any is pending
 * @throws StoreUnavailable, HistoryGap
 */
export function readPending(
  channels: ChannelBroker,
  positions: Positions,
  maxBytes: number,
  reader: PendingReader
): MaybePromise<PendingFrames> {
  for (const [channel, position] of positions) {
    const isRead = subjectOf(channel) !== undefined || !channels.isTop(channel, position)
    if (isRead) return readEach(channels, positions, maxBytes, reader)
  }
  return nothingPending
}

async function readEach(
  channels: ChannelBroker,
  positions: Positions,
  maxBytes: number,
  reader: PendingReader
): Promise<PendingFrames> {
  const outgoing: (Outgoing | PublicationText)[] = []
  const changes = new Map<string, Position | undefined>()
  let bytesLeft = maxBytes
  for (const [channel, position] of positions) {
    const subject = subjectOf(channel)
    if (subject !== undefined) {
      const { message, moved } = await readPresence(channels, channel, subject, position, reader)
      if (moved !== undefined) changes.set(channel, moved)
      if (message !== undefined) outgoing.push(message)
      continue
    }
    if (channels.isTop(channel, position)) continue
    const { top, publications } = await channels.readAfter(channel, position, outboxFrames)
    if (publications === undefined) {
      if (top.epoch === position.epoch && top.offset - position.offset > outboxFrames) throw new HistoryGap(channel)
      outgoing.push({ type: 'unsubscribed', channel, code: 'INSUFFICIENT_STATE' })
      changes.set(channel, undefined)
      const ofPresence = presenceChannelOf(channel)
      if (positions.has(ofPresence)) changes.set(ofPresence, undefined)
      continue
    }
    const { epoch } = position
    for (const publication of publications) {
      bytesLeft -= publication.data.length + frameOverheadBytes
      if (bytesLeft < 0 && outgoing.length > 0) return { outgoing, positions: changes, isCut: true }
      outgoing.push(publicationMembers(channel, epoch, publication))
      changes.set(channel, { offset: publication.offset, epoch })
    }
  }
  return { outgoing, positions: changes, isCut: false }
}

interface PresenceRead {
  readonly message?: Outgoing
  /** The new position; absent if it stays. */
  readonly moved?: Position
}

/** All changes since the position, as one message. A gap is skipped: changes are a hint (PROTOCOL §10.7). */
async function readPresence(
  channels: ChannelBroker,
  name: string,
  subject: string,
  position: Position,
  { sessionId, pacer, presence }: PendingReader
): Promise<PresenceRead> {
  presence.watched(subject)
  if (pacer.waitMs(name) > 0 || channels.isTop(name, position)) return {}
  const { top, publications = [] } = await channels.readAfter(name, position, outboxFrames)
  if (top.epoch === position.epoch && top.offset === position.offset) return {}
  const delta = new PresenceDelta()
  for (const { data } of publications) delta.add(data)
  const stated = pacer.statedCount(name, position)
  const message = delta.messageFor(subject, sessionId, stated)
  pacer.checked(name, top, message?.count ?? stated)
  return { moved: top, ...(message === undefined ? {} : { message }) }
}
