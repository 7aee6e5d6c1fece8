import type { Position, StoredPublication } from '../channels.js'
import type { HistoryBuffer } from '../history-buffer.js'

/** A channel of the embedded store. */
export interface Channel {
  readonly epoch: string
  offset: number
  /** Unix milliseconds. */
  usedAt: number
  /** Absent while there is nothing in it: most channels of a flood never get one. */
  history: HistoryBuffer | undefined
  historyEndsAt: number
}

export interface Appended {
  readonly epoch: string
  readonly publication: StoredPublication
}

/** What survives a restart of a channel. */
export type SavedChannel = Omit<Channel, 'history'> & {
  /** Without a gap, up to the offset. */
  readonly publications: readonly StoredPublication[]
}

export function topOf({ offset, epoch }: Channel): Position {
  return { offset, epoch }
}
