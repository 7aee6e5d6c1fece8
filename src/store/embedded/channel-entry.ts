import type { Position, StoredPublication } from '../channels.js'
import type { HistoryBuffer } from '../history-buffer.js'
import type { Linked, LinkedList } from './linked-list.js'

/** The publications kept of a channel, in the list of histories. */
export interface ChannelHistory extends Linked<ChannelHistory> {
  readonly channel: Channel
  readonly buffer: HistoryBuffer
}

/** A channel of the embedded store. */
export interface Channel extends Linked<Channel> {
  readonly name: string
  readonly epoch: string
  offset: number
  /** Unix milliseconds. */
  usedAt: number
  /** Absent while it is empty: most channels of a flood never get one. */
  history: ChannelHistory | undefined
  historyEndsAt: number
  /** The list of {@link UseOrder} that it is in. */
  list: LinkedList<Channel> | undefined
}

export interface Appended {
  readonly epoch: string
  readonly publication: StoredPublication
  readonly isListenedTo: boolean
}

/** The part of a channel that survives a restart. */
export interface SavedChannel extends Pick<Channel, 'name' | 'epoch' | 'offset' | 'usedAt' | 'historyEndsAt'> {
  /** Without a gap, up to the offset. */
  readonly publications: readonly StoredPublication[]
}

export function topOf({ offset, epoch }: Channel): Position {
  return { offset, epoch }
}
