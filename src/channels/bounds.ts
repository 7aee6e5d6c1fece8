import { outboxBytes } from '../protocol/limits.js'
import { shareOfHeap } from '../store/memory-cost.js'

/** Bounds of the channels of one instance. */
export interface ChannelBounds {
  /** Most streams, each of one channel. */
  readonly streams: number
  /** Most publications that one recovery replays (PROTOCOL §11). */
  readonly recover: number
  /**
   * Most bytes of data that one recovery replays. They are written at once, and the reader must be able to buffer them.
   */
  readonly recoverBytes: number
  /** Most concurrent reads of the newest publications, for `last` and `history`; others wait. */
  readonly pageReads: number
  /** Most publications of one channel in memory. */
  readonly historyCount: number
  /** Most bytes of one channel in memory. */
  readonly historyBytes: number
  /** Most bytes of all channels in memory. */
  readonly totalHistoryBytes: number
  /** Most concurrent reads that repair a stream; others wait. */
  readonly repairs: number
  /** Most publications that one such read returns; a larger gap is a loss. */
  readonly repairCount: number
  /** Most channels per call of the store. */
  readonly batch: number
  /** Most such calls per tick. */
  readonly batchesPerTick: number
  /** How long an unused stream is kept, in milliseconds. */
  readonly idleMs: number
  /** How long a channel may be silent before its position is verified, in milliseconds (PROTOCOL §10.4). */
  readonly verifyMs: number
  /** After a break each instance verifies all positions at a random moment within this time, in milliseconds. */
  readonly spreadMs: number
}

/** A stream without subscribers, with its place in the table: 608 bytes by scripts/measure-memory.mjs. */
const streamBytes = 700
/** Part of the heap for streams, and for their newest publications. */
const streamHeapShare = 1 / 8
const historyHeapShare = 1 / 16
const maxStreams = 400_000
const maxHistoryBytes = 64 * 1024 * 1024

export const defaultChannelBounds: ChannelBounds = Object.freeze({
  streams: Math.floor(shareOfHeap(streamHeapShare, maxStreams * streamBytes) / streamBytes),
  recover: 512,
  recoverBytes: outboxBytes / 2,
  pageReads: 64,
  historyCount: 256,
  historyBytes: 256 * 1024,
  totalHistoryBytes: shareOfHeap(historyHeapShare, maxHistoryBytes),
  repairs: 64,
  repairCount: 4096,
  batch: 500,
  batchesPerTick: 20,
  idleMs: 60_000,
  verifyMs: 40_000,
  spreadMs: 2000
})
