import type { ChannelBroker } from '../channels/types.js'
import { outboxFrames } from '../protocol/limits.js'
import { publicationMembers } from '../session/publication.js'
import type { Outgoing } from '../session/session.js'
import type { Position } from '../store/channels.js'

/** What lies after a session's positions, as frames to be signed, and where it stands with them. */
/** A publication's frame without its beginning, see `publicationMembers`. */
export type PublicationText = string

export interface PendingFrames {
  readonly outgoing: readonly (Outgoing | PublicationText)[]
  readonly positions: ReadonlyMap<string, Position | undefined>
  /** There is more than fitted. */
  readonly isCut: boolean
}

/** The session is further behind than frames may wait (PROTOCOL §11). */
export class HistoryGap extends Error {
  override readonly name = 'TooFarBehind'
}

/** A publication's frame beside its data, in bytes, roughly. */
const frameBytesBesideData = 300

/**
 * Reads publications after the positions, one channel after the other, as many as fit in `bytes` (one at least, where
 * there are any).
 * @throws StoreUnavailable, TooFarBehind
 */
export async function readPending(
  channels: ChannelBroker,
  positions: ReadonlyMap<string, Position>,
  bytes: number
): Promise<PendingFrames> {
  const outgoing: (Outgoing | PublicationText)[] = []
  const moved = new Map<string, Position | undefined>()
  let room = bytes
  for (const [channel, position] of positions) {
    if (channels.isTop(channel, position)) continue
    const { top, publications } = await channels.readAfter(channel, position, outboxFrames)
    if (publications === undefined) {
      if (top.epoch === position.epoch && top.offset - position.offset > outboxFrames) throw new HistoryGap(channel)
      outgoing.push({ type: 'unsubscribed', channel, code: 'INSUFFICIENT_STATE' })
      moved.set(channel, undefined)
      continue
    }
    const { epoch } = position
    for (const publication of publications) {
      room -= publication.data.length + frameBytesBesideData
      if (room < 0 && outgoing.length > 0) return { outgoing, positions: moved, isCut: true }
      outgoing.push(publicationMembers(channel, epoch, publication))
      moved.set(channel, { offset: publication.offset, epoch })
    }
  }
  return { outgoing, positions: moved, isCut: false }
}
