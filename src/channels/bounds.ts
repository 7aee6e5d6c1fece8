import { outboxBytes } from '../protocol/limits.js'

/** How much an instance follows, and keeps in memory. */
export interface ChannelBounds {
  /** Channels followed at one time. */
  readonly followed: number
  /** Publications that one recovery replays (PROTOCOL §11). */
  readonly recover: number
  /** Bytes of data that one recovery replays: it is written at one go, and a reader must be able to take it. */
  readonly recoverBytes: number
  /** Publications kept in memory of one channel. */
  readonly ringCount: number
  /** Bytes kept in memory of one channel. */
  readonly ringBytes: number
  /** Bytes kept in memory of all channels. */
  readonly allRingsBytes: number
  /** Reads under way that fill holes; others wait. */
  readonly repairs: number
  /** Publications that one such read may bring; a hole beyond it is a loss. */
  readonly repairCount: number
  /** Channels asked about in one call. */
  readonly batch: number
  /** Such calls that one tick makes. */
  readonly batchesPerTick: number
  /** How long a channel that nobody needs is followed on, in milliseconds. */
  readonly idleMs: number
  /** How long a channel may be quiet before its position is checked, in milliseconds (PROTOCOL §10.4). */
  readonly checkMs: number
  /** After a break all positions are checked, each instance within this time at a moment of its own, in milliseconds. */
  readonly spreadMs: number
}

export const defaultChannelBounds: ChannelBounds = Object.freeze({
  followed: 400_000,
  recover: 512,
  recoverBytes: outboxBytes / 2,
  ringCount: 256,
  ringBytes: 256 * 1024,
  allRingsBytes: 64 * 1024 * 1024,
  repairs: 64,
  repairCount: 4096,
  batch: 500,
  batchesPerTick: 20,
  idleMs: 60_000,
  checkMs: 40_000,
  spreadMs: 2000
})
