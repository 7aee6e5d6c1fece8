import {
  type ChannelPage,
  channelLifeMs,
  type HistoryBounds,
  maxAgedDrops,
  type PageRequest,
  type Position,
  type StoredPublication
} from '../channels.js'
import { newEpoch } from '../epochs.js'
import { type HistoryBudget, HistoryBuffer, type HistoryBufferOptions } from '../history-buffer.js'
import { channelOverheadBytes, historyOverheadBytes, textBytes } from '../memory-cost.js'
import { type Appended, type Channel, type SavedChannel, topOf } from './channel-entry.js'

export interface ChannelTableOptions {
  readonly history: HistoryBounds
  /** Most bytes of one channel's history. */
  readonly channelBytes: number
  /** Most bytes of all channels and their histories together. */
  readonly totalBytes: number
  /** Most channels. */
  readonly maxChannels: number
  /** See `HistoryBuffer`. */
  readonly onDrop: NonNullable<HistoryBufferOptions['onDrop']>
  /** What is to survive a restart of a channel has changed. */
  readonly onChange: (name: string) => void
}

/** Channels and histories that one call of `removeExpired` frees, at most. */
const maxRemovals = 5000

/**
 * Channels with their histories, bounded in number and bytes, and freed by time. Above a bound the least recently used
 * channel is dropped: first those that were never published to, last those that are listened to.
 */
export class ChannelTable {
  readonly #now: () => number
  readonly #options: ChannelTableOptions
  // All in the order of use, the least recently used first.
  readonly #unpublished = new Map<string, Channel>()
  readonly #idle = new Map<string, Channel>()
  readonly #listenedTo = new Map<string, Channel>()
  readonly #listening = new Set<string>()
  /** Channels with a history, in the order in which these end. */
  readonly #histories = new Map<string, Channel>()
  // Counts only: whole channels are dropped, so that no history shrinks for the sake of another.
  readonly #budget: HistoryBudget = { bytes: 0, maxBytes: Number.POSITIVE_INFINITY }

  /** @param now  unix milliseconds */
  constructor(now: () => number, options: ChannelTableOptions) {
    this.#now = now
    this.#options = options
  }

  /** Channels. */
  get size(): number {
    return this.#unpublished.size + this.#idle.size + this.#listenedTo.size
  }

  /** Bytes of all channels and their histories, as `memory-cost.ts` counts them. */
  get bytes(): number {
    return this.#budget.bytes
  }

  get names(): readonly string[] {
    return [this.#unpublished, this.#idle, this.#listenedTo].flatMap(channels => [...channels.keys()])
  }

  /** A channel, without using it. */
  peek(name: string): Readonly<Channel> | undefined {
    return this.#listenedTo.get(name) ?? this.#idle.get(name) ?? this.#unpublished.get(name)
  }

  /** Takes a channel of before a restart, as the most recently used. */
  restore(name: string, { publications, ...saved }: SavedChannel): void {
    const channel: Channel = { ...saved, history: undefined }
    this.#add(name, channel)
    if (publications.length === 0) return
    const history = this.#createHistory(channel)
    for (const each of publications) history.push(each)
    this.#histories.set(name, channel)
    this.#evict(channel)
  }

  isListening(name: string): boolean {
    return this.#listening.has(name)
  }

  listen(names: readonly string[]): void {
    for (const name of names) this.#listen(name)
  }

  unlisten(names: readonly string[]): void {
    for (const name of names) this.#unlisten(name)
  }

  #listen(name: string): void {
    const channel = this.#find(name)
    if (channel !== undefined) this.#mapOf(name, channel).delete(name)
    this.#listening.add(name)
    if (channel !== undefined) this.#listenedTo.set(name, channel)
  }

  #unlisten(name: string): void {
    this.#listening.delete(name)
    const channel = this.#listenedTo.get(name)
    if (channel === undefined) return
    this.#listenedTo.delete(name)
    this.#mapOf(name, channel).set(name, channel)
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined
  }

  /** @param created  gets the name if the channel was unknown */
  top(name: string, created?: Set<string>): Position {
    return topOf(this.#use(name, created))
  }

  /** The newest `count` publications; undefined if the history does not hold that many. */
  newest(name: string, count: number): readonly StoredPublication[] | undefined {
    const channel = this.#use(name)
    if (channel.historyEndsAt <= this.#now()) this.#dropHistory(name, channel)
    if (channel.history === undefined) return count === 0 ? [] : undefined
    return channel.history.newest(count)
  }

  /** See `ChannelStore.newest`. */
  page(name: string, { before, limit, maxBytes }: PageRequest, created?: Set<string>): ChannelPage {
    const channel = this.#use(name, created)
    if (channel.historyEndsAt <= this.#now()) this.#dropHistory(name, channel)
    const top = topOf(channel)
    const isForeign = before !== undefined && before.epoch !== top.epoch
    if (channel.history === undefined || isForeign) return { top, publications: [], more: false }
    return { top, ...channel.history.before(before?.offset ?? top.offset + 1, limit, maxBytes) }
  }

  /** @param owners  see owners.ts */
  append(name: string, data: string, publishedAt: number, owners: string): Appended {
    const channel = this.#use(name)
    if (channel.historyEndsAt <= this.#now()) this.#dropHistory(name, channel)
    const history = channel.history ?? this.#createHistory(channel)
    const publication = { offset: ++channel.offset, data, publishedAt, ...(owners === '' ? {} : { owners }) }
    history.dropBefore(publishedAt - this.#options.history.lifeMs, maxAgedDrops)
    history.push(publication)
    if (channel.offset === 1 && this.#unpublished.delete(name)) this.#idle.set(name, channel)
    channel.historyEndsAt = this.#now() + this.#options.history.lifeMs
    this.#histories.delete(name)
    this.#histories.set(name, channel)
    this.#options.onChange(name)
    if (this.#budget.bytes > this.#options.totalBytes) this.#evict(channel)
    return { epoch: channel.epoch, publication }
  }

  /** Frees histories and channels whose time is over, a bounded number of them. */
  removeExpired(): void {
    let left = maxRemovals
    for (const [name, channel] of this.#histories) {
      if (left-- === 0 || channel.historyEndsAt > this.#now()) break
      this.#dropHistory(name, channel)
    }
    // What is listened to stays: its position is verified, which counts as use.
    for (const channels of [this.#unpublished, this.#idle]) {
      for (const [name, channel] of channels) {
        if (left-- <= 0 || !this.#isExpired(channel)) break
        this.#remove(name, channel)
      }
    }
  }

  #isExpired({ offset, usedAt }: Channel): boolean {
    return usedAt + channelLifeMs(offset > 0, this.#options.history.lifeMs) <= this.#now()
  }

  #mapOf(name: string, { offset }: Channel): Map<string, Channel> {
    if (this.#listening.has(name)) return this.#listenedTo
    return offset === 0 ? this.#unpublished : this.#idle
  }

  #find(name: string): Channel | undefined {
    if (this.#listening.has(name)) return this.#listenedTo.get(name)
    const channel = this.#idle.get(name) ?? this.#unpublished.get(name)
    if (channel === undefined || !this.#isExpired(channel)) return channel
    this.#remove(name, channel)
    return undefined
  }

  /** The channel, created if it is unknown, as the most recently used. */
  #use(name: string, created?: Set<string>): Channel {
    const known = this.#find(name)
    if (known !== undefined) {
      const channels = this.#mapOf(name, known)
      channels.delete(name)
      channels.set(name, known)
      known.usedAt = this.#now()
      return known
    }
    created?.add(name)
    const channel = { epoch: newEpoch(), offset: 0, usedAt: this.#now(), history: undefined, historyEndsAt: 0 }
    this.#add(name, channel)
    return channel
  }

  #add(name: string, channel: Channel): void {
    this.#mapOf(name, channel).set(name, channel)
    this.#budget.bytes += channelOverheadBytes + textBytes(name)
    this.#evict(channel)
  }

  #createHistory(channel: Channel): HistoryBuffer {
    const { history: bounds, channelBytes, onDrop } = this.#options
    this.#budget.bytes += historyOverheadBytes
    channel.history = new HistoryBuffer({ maxCount: bounds.size, maxBytes: channelBytes, budget: this.#budget, onDrop })
    return channel.history
  }

  #dropHistory(name: string, channel: Channel): void {
    if (channel.history === undefined) return
    channel.history.clear()
    channel.history = undefined
    this.#histories.delete(name)
    this.#budget.bytes -= historyOverheadBytes
    this.#options.onChange(name)
  }

  #remove(name: string, channel: Channel): void {
    this.#dropHistory(name, channel)
    // One that was never published to is not saved before the end.
    if (channel.offset > 0) this.#options.onChange(name)
    this.#mapOf(name, channel).delete(name)
    this.#budget.bytes -= channelOverheadBytes + textBytes(name)
  }

  get #isOverBound(): boolean {
    const { maxChannels, totalBytes } = this.#options
    return this.size > maxChannels || this.#budget.bytes > totalBytes
  }

  /** Drops channels until the bounds hold, but not the one in use. */
  #evict(inUse: Channel): void {
    while (this.#isOverBound) {
      const oldest = [this.#unpublished, this.#idle, this.#listenedTo]
        .map(channels => channels.entries().next().value)
        .find(entry => entry !== undefined && entry[1] !== inUse)
      if (oldest === undefined) return
      this.#remove(...oldest)
    }
  }
}
