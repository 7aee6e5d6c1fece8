import type { StoredPublication } from '../channels.js'
import { newEpoch } from '../epochs.js'
import type { ChannelTable } from './channel-table.js'
import { type ChunkRow, chunkKeys, type RestartTables } from './restart-database.js'

/** First and last offset of a chunk. */
type Bounds = readonly [first: number, last: number]

/** The saved part of a channel. */
interface Saved {
  readonly epoch: string
  /** Oldest first. */
  readonly chunks: readonly Bounds[]
}

/** A change of the database. */
export interface ChannelWrite {
  readonly publications: number
  apply(tables: RestartTables): void
  /** Call it after the commit. */
  onWritten(): void
}

/** The newest publications without a gap, up to an offset. A chunk may repeat publications of an earlier one. */
function joined(chunks: Iterable<ChunkRow>, top: number): readonly StoredPublication[] {
  let publications: StoredPublication[] = []
  for (const chunk of chunks) {
    for (const each of chunk) {
      const last = publications[publications.length - 1]
      if (last !== undefined && each.offset <= last.offset) continue
      if (last !== undefined && each.offset > last.offset + 1) publications = []
      publications.push(each)
    }
  }
  return publications[publications.length - 1]?.offset === top ? publications : []
}

function boundsOf(chunk: ChunkRow): Bounds[] {
  const [first] = chunk
  return first === undefined ? [] : [[first.offset, first.offset + chunk.length - 1]]
}

function removeChunks(tables: RestartTables, name: string): void {
  for (const key of chunkKeys(tables, name)) tables.chunks.removeSync(key)
}

/** Tracks the saved chunks of each channel, and so the unsaved ones. */
export class SavedChannels {
  readonly #table: ChannelTable
  readonly #saved = new Map<string, Saved>()

  constructor(table: ChannelTable) {
    this.#table = table
  }

  /**
   * Fills the table, the least recently used channel first.
   * @param isComplete  false: publications may be lost, so each channel gets another epoch
   */
  restore(tables: RestartTables, isComplete: boolean): void {
    const rows = [...tables.channels.getRange()].sort((a, b) => a.value[2] - b.value[2])
    for (const { key: name, value } of rows) {
      const [savedEpoch, offset, usedAt, historyEndsAt] = value
      const epoch = isComplete ? savedEpoch : newEpoch()
      const chunks = chunkKeys(tables, name).map(key => tables.chunks.get(key) ?? [])
      this.#saved.set(name, { epoch, chunks: chunks.flatMap(boundsOf) })
      this.#table.restore({ name, epoch, offset, usedAt, historyEndsAt, publications: joined(chunks, offset) })
    }
  }

  /** The names of all channels in the table or the database. */
  get names(): Iterable<string> {
    return new Set([...this.#saved.keys(), ...this.#table.names])
  }

  /** The writes that bring a channel in the database up to date. */
  writeOf(name: string): ChannelWrite {
    const channel = this.#table.peek(name)
    const before = this.#saved.get(name)
    if (channel === undefined) {
      const apply = (tables: RestartTables) => {
        removeChunks(tables, name)
        tables.channels.removeSync(name)
      }
      return { publications: 0, apply, onWritten: () => void this.#saved.delete(name) }
    }
    const { epoch, offset, usedAt, historyEndsAt, history } = channel
    const isSame = before?.epoch === epoch
    const first = offset - (history?.buffer.count ?? 0) + 1
    const kept = isSame ? before.chunks.filter(([, last]) => last >= first) : []
    const lastKept = kept[kept.length - 1]?.[1] ?? 0
    const added = history?.buffer.newest(offset - Math.max(first - 1, lastKept)) ?? []
    const apply = (tables: RestartTables) => {
      if (before !== undefined && !isSame) removeChunks(tables, name)
      for (const [start, last] of isSame ? before.chunks : []) if (last < first) tables.chunks.removeSync([name, start])
      const [start] = added
      if (start !== undefined) tables.chunks.putSync([name, start.offset], added)
      tables.channels.putSync(name, [epoch, offset, usedAt, historyEndsAt])
    }
    const onWritten = () => void this.#saved.set(name, { epoch, chunks: [...kept, ...boundsOf(added)] })
    return { publications: added.length, apply, onWritten }
  }
}
