import type { ChannelStore, Position } from '../store/channels.js'
import { StoreUnavailable } from '../store/errors.js'
import type { ChannelStream } from './channel-stream.js'
import { Semaphore } from './semaphore.js'
import { TopReader } from './top-reader.js'

/** Successive reads that bring a stream to a known top. Only new gaps in each of them require more. */
export const maxRepairTries = 3

export interface StreamRepairerOptions {
  readonly store: ChannelStore
  /** See `ChannelBounds`. */
  readonly bounds: { readonly batch: number; readonly repairs: number; readonly repairCount: number }
  /** Unix milliseconds. */
  readonly now: () => number
  /** A gap was found and will be repaired from the store. */
  readonly onGap: () => void
  /** A gap could not be repaired yet. @param error undefined if reads succeeded, but each found a new gap */
  readonly onUnrepaired: (stream: ChannelStream, error?: unknown) => void
}

/** Brings streams up to the state of the store. */
export class StreamRepairer {
  readonly #options: StreamRepairerOptions
  readonly #tops: TopReader
  readonly #reads: Semaphore

  constructor(options: StreamRepairerOptions) {
    this.#options = options
    this.#tops = new TopReader(options.store, options.bounds.batch)
    this.#reads = new Semaphore(options.bounds.repairs)
  }

  /**
   * Brings a stream to the store's top as of this call, or later.
   * @param onCreated  called if this created the channel in the store
   * @throws StoreUnavailable
   */
  async refresh(stream: ChannelStream, onCreated?: () => void): Promise<void> {
    stream.refCount++
    try {
      await this.#advanceTo(stream, await this.#tops.read(stream, onCreated))
    } finally {
      stream.refCount--
    }
  }

  /** Repairs a gap in the background. */
  repairGap(stream: ChannelStream): void {
    if (stream.repairing === undefined) void this.#repairGap(stream)
  }

  async #advanceTo(stream: ChannelStream, top: Position): Promise<void> {
    if (!stream.isOpen) stream.apply({ top }, 0)
    for (let i = 0; !stream.hasReached(top) && i < maxRepairTries; i++) await this.#repair(stream)
    if (!stream.hasReached(top) && stream.top.epoch === top.epoch) {
      throw new StoreUnavailable(new Error(`offset ${top.offset} was not reached in ${maxRepairTries} reads`))
    }
    stream.verifiedAt = this.#options.now()
    if (stream.hasGap) this.repairGap(stream)
  }

  /** Reads the missing publications of a stream. Concurrent calls for one stream share a read. */
  #repair(stream: ChannelStream): Promise<void> {
    const { store, bounds } = this.#options
    stream.repairing ??= this.#reads
      .run(async () => {
        const countBefore = stream.outOfOrderCount
        stream.apply(await store.read(stream.channel, stream.top, bounds.repairCount), countBefore)
      })
      .finally(() => {
        stream.repairing = undefined
      })
    return stream.repairing
  }

  async #repairGap(stream: ChannelStream): Promise<void> {
    const { onGap, onUnrepaired } = this.#options
    onGap()
    try {
      for (let i = 0; stream.hasGap && i < maxRepairTries; i++) await this.#repair(stream)
      if (stream.hasGap) onUnrepaired(stream)
    } catch (error) {
      onUnrepaired(stream, error)
    }
  }
}
