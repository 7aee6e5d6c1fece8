import type { ChannelStore, StoredPublication } from '../store/channels.js'
import type { HistoryBufferOptions } from '../store/history-buffer.js'
import type { ChannelBounds } from './bounds.js'
import { ChannelStream, type StreamObserver } from './channel-stream.js'
import { StreamRepairer } from './stream-repairer.js'

interface ChannelsLog {
  debug(params: object, message: string): void
}

export interface ChannelManagerOptions {
  readonly store: ChannelStore
  readonly bounds: ChannelBounds
  /** Unix milliseconds. */
  readonly now: () => number
  /** From 0 to 1. */
  readonly random: () => number
  readonly log: ChannelsLog
  readonly observer: ChannelsObserver
}

export interface ChannelsObserver extends StreamObserver {
  /** A gap was found and will be repaired from the store. */
  missed(): void
}

/** The streams of one instance: opens them, keeps them up to date with the store, and closes unused ones. */
export class ChannelManager {
  readonly #options: ChannelManagerOptions
  readonly #historyOptions: HistoryBufferOptions
  readonly #streams = new Map<string, ChannelStream>()
  /** Streams with a gap that could not be repaired, or that could not be opened; the next tick tries again. */
  readonly #unsettled = new Set<ChannelStream>()
  readonly #repairer: StreamRepairer
  /** When all positions are verified after a possible loss of notifications, in Unix milliseconds. */
  #verifyAllAt: number | undefined
  #verifying: Promise<void> | undefined

  constructor(options: ChannelManagerOptions) {
    const { store, bounds, now, random, log, observer } = options
    this.#options = options
    this.#historyOptions = {
      maxCount: bounds.historyCount,
      maxBytes: bounds.historyBytes,
      budget: { bytes: 0, maxBytes: bounds.totalHistoryBytes }
    }
    this.#repairer = new StreamRepairer({
      ...{ store, bounds, now },
      onGap: () => observer.missed(),
      onUnrepaired: (stream, error) => {
        this.retryLater(stream)
        if (error !== undefined)
          log.debug({ err: error, channel: stream.channel }, 'could not read missed publications')
      }
    })
    store.onPublication({
      publication: (channel, epoch, publication) => this.#receive(channel, epoch, publication),
      mayHaveMissed: () => {
        this.#verifyAllAt ??= now() + random() * bounds.spreadMs
      }
    })
  }

  /** Number of streams. */
  get size(): number {
    return this.#streams.size
  }

  /** The stream of a channel, if it is open. */
  get(channel: string): ChannelStream | undefined {
    return this.#streams.get(channel)
  }

  /** The stream of a channel, opened if necessary; undefined if there are too many. */
  tryOpen(channel: string): ChannelStream | undefined {
    const { bounds, now, observer } = this.#options
    const known = this.#streams.get(channel)
    if (known !== undefined) {
      known.usedAt = now()
      return known
    }
    if (this.#streams.size >= bounds.streams) this.#closeIdle(Number.POSITIVE_INFINITY)
    if (this.#streams.size >= bounds.streams) return undefined
    const stream = new ChannelStream(channel, this.#historyOptions, observer, now())
    this.#streams.set(channel, stream)
    return stream
  }

  /** See `StreamRepairer`. @throws StoreUnavailable */
  refresh(stream: ChannelStream, onCreated?: () => void): Promise<void> {
    return this.#repairer.refresh(stream, onCreated)
  }

  /** Refreshes the stream in the next tick. */
  retryLater(stream: ChannelStream): void {
    this.#unsettled.add(stream)
  }

  /** Closes idle streams and verifies positions. Call it about once a second. */
  tick(): Promise<void> {
    const { bounds, now, store } = this.#options
    this.#closeIdle(now() - bounds.idleMs)
    store.removeExpired()
    this.#verifying ??= this.#verify().finally(() => {
      this.#verifying = undefined
    })
    return this.#verifying
  }

  #receive(channel: string, epoch: string, publication: StoredPublication): void {
    const stream = this.#streams.get(channel)
    if (stream === undefined) return
    stream.receive(epoch, publication)
    if (stream.hasGap) this.#repairer.repairGap(stream)
    else stream.verifiedAt = this.#options.now()
  }

  /** Closes streams that were last used before `before`. */
  #closeIdle(before: number): void {
    const unlistened: string[] = []
    for (const [channel, stream] of this.#streams) {
      if (stream.usedAt > before || stream.isNeeded || stream.repairing !== undefined) continue
      this.#streams.delete(channel)
      this.#unsettled.delete(stream)
      stream.close()
      if (stream.isListening) unlistened.push(channel)
    }
    if (unlistened.length > 0) this.#options.store.unlisten(unlistened)
  }

  async #verify(): Promise<void> {
    const { now, log } = this.#options
    const at = now()
    if (this.#verifyAllAt !== undefined && at >= this.#verifyAllAt) {
      this.#verifyAllAt = undefined
      for (const stream of this.#streams.values()) stream.verifiedAt = 0
    }
    const streams = this.#toVerify(at)
    const results = await Promise.allSettled(streams.map(stream => this.refresh(stream)))
    for (const [i, result] of results.entries()) {
      const stream = streams[i]
      // The failed read leaves the subscribers' positions unchanged: the next tick tries again.
      if (result.status === 'rejected' && stream !== undefined && this.#streams.get(stream.channel) === stream) {
        this.retryLater(stream)
      }
    }
    const failed = results.find(result => result.status === 'rejected')
    if (failed !== undefined) log.debug({ err: failed.reason }, 'could not verify the positions of channels')
  }

  /** Unsettled streams, and streams whose silence may hide a lost notification. */
  #toVerify(at: number): ChannelStream[] {
    const { bounds } = this.#options
    const most = bounds.batch * bounds.batchesPerTick
    const streams = new Set(this.#unsettled)
    this.#unsettled.clear()
    for (const stream of this.#streams.values()) {
      if (streams.size >= most) break
      if (at - stream.verifiedAt >= bounds.verifyMs) streams.add(stream)
    }
    return [...streams]
  }
}
