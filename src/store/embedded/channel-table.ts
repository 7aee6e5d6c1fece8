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
import { type Appended, type Channel, type ChannelHistory, type SavedChannel, topOf } from './channel-entry.js'
import { LinkedList } from './linked-list.js'
import { UseOrder } from './use-order.js'

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
  /** Called when the part of a channel that survives a restart has changed. */
  readonly onChange: (name: string) => void
}

/** Channels and histories that one call of `removeExpired` frees, at most. */
const maxRemovals = 5000

/**
 * Channels with their histories, bounded in number and bytes, and with limited lives. Above a bound the least recently
 * used channel is dropped: first those that were never published to, last those that are listened to.
 */
export class ChannelTable {
  readonly #now: () => number
  readonly #options: ChannelTableOptions
  readonly #channels = new Map<string, Channel>()
  readonly #order = new UseOrder()
  /** In order of their ends. */
  readonly #histories = new LinkedList<ChannelHistory>()
  // Counts only: whole channels are dropped, so that no history shrinks for another.
  readonly #budget: HistoryBudget = { bytes: 0, maxBytes: Number.POSITIVE_INFINITY }

  /** @param now  unix milliseconds */
  constructor(now: () => number, options: ChannelTableOptions) {
    this.#now = now
    this.#options = options
  }

  /** Channels. */
  get size(): number {
    return this.#channels.size
  }

  /** Bytes of all channels and their histories, as `memory-cost.ts` counts them. */
  get bytes(): number {
    return this.#budget.bytes
  }

  get names(): Iterable<string> {
    return this.#channels.keys()
  }

  /** A channel, without marking it as used. */
  peek(name: string): Readonly<Channel> | undefined {
    return this.#channels.get(name)
  }

  /** Restores a channel from before a restart, as the most recently used. */
  restore({ publications, ...saved }: SavedChannel): void {
    const channel = this.#add(saved)
    if (publications.length === 0) return
    const history = this.#createHistory(channel)
    for (const each of publications) history.buffer.push(each)
    this.#evict(channel)
  }

  isListening(name: string): boolean {
    return this.#order.isListening(name)
  }

  listen(names: readonly string[]): void {
    for (const name of names) this.#order.listen(name, this.#find(name))
  }

  unlisten(names: readonly string[]): void {
    for (const name of names) this.#order.unlisten(name, this.#channels.get(name))
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined
  }

  /** @param created  receives the name if the channel was unknown */
  top(name: string, created?: Set<string>): Position {
    return topOf(this.#use(name, created))
  }

  /** The newest `count` publications; undefined if the history has fewer. */
  newest(name: string, count: number): readonly StoredPublication[] | undefined {
    const { history } = this.#use(name)
    if (history === undefined) return count === 0 ? [] : undefined
    return history.buffer.newest(count)
  }

  /** See `ChannelStore.newest`. */
  page(name: string, { before, limit, maxBytes }: PageRequest, created?: Set<string>): ChannelPage {
    const channel = this.#use(name, created)
    const top = topOf(channel)
    const isForeign = before !== undefined && before.epoch !== top.epoch
    if (channel.history === undefined || isForeign) return { top, publications: [], more: false }
    return { top, ...channel.history.buffer.before(before?.offset ?? top.offset + 1, limit, maxBytes) }
  }

  /** @param owners  see owners.ts */
  append(name: string, data: string, publishedAt: number, owners: string): Appended {
    const channel = this.#use(name)
    const { lifeMs } = this.#options.history
    const history = channel.history ?? this.#createHistory(channel)
    const offset = ++channel.offset
    const publication = owners === '' ? { offset, data, publishedAt } : { offset, data, publishedAt, owners }
    history.buffer.dropBefore(publishedAt - lifeMs, maxAgedDrops)
    history.buffer.push(publication)
    if (offset === 1) this.#order.sort(channel)
    channel.historyEndsAt = channel.usedAt + lifeMs
    this.#histories.moveToEnd(history)
    this.#options.onChange(channel.name)
    if (this.#budget.bytes > this.#options.totalBytes) this.#evict(channel)
    return { epoch: channel.epoch, publication, isListenedTo: this.#order.isListenedTo(channel) }
  }

  /** Frees histories and channels whose time is over, a bounded number of them. */
  removeExpired(): void {
    let left = maxRemovals
    for (const { channel } of this.#histories) {
      if (left-- === 0 || channel.historyEndsAt > this.#now()) break
      this.#dropHistory(channel)
    }
    // Watched channels stay: their positions are verified, which counts as use.
    for (const channels of this.#order.quiet) {
      for (const channel of channels) {
        if (left-- <= 0 || !this.#isExpired(channel)) break
        this.#remove(channel)
      }
    }
  }

  #isExpired({ offset, usedAt }: Channel): boolean {
    return usedAt + channelLifeMs(offset > 0, this.#options.history.lifeMs) <= this.#now()
  }

  #find(name: string): Channel | undefined {
    const channel = this.#channels.get(name)
    if (channel === undefined || this.#order.isListenedTo(channel) || !this.#isExpired(channel)) return channel
    this.#remove(channel)
    return undefined
  }

  /** The channel, created if unknown, as the most recently used. A history whose time is over is dropped first. */
  #use(name: string, created?: Set<string>): Channel {
    const known = this.#find(name)
    const usedAt = this.#now()
    if (known !== undefined) {
      this.#order.use(known)
      known.usedAt = usedAt
      if (known.historyEndsAt <= usedAt) this.#dropHistory(known)
      return known
    }
    created?.add(name)
    return this.#add({ name, epoch: newEpoch(), offset: 0, usedAt, historyEndsAt: 0 })
  }

  #add({ name, epoch, offset, usedAt, historyEndsAt }: Omit<SavedChannel, 'publications'>): Channel {
    const channel: Channel = {
      name,
      epoch,
      offset,
      usedAt,
      historyEndsAt,
      history: undefined,
      list: undefined,
      previous: undefined,
      next: undefined
    }
    this.#channels.set(name, channel)
    this.#order.sort(channel)
    this.#budget.bytes += channelOverheadBytes + textBytes(name)
    this.#evict(channel)
    return channel
  }

  #createHistory(channel: Channel): ChannelHistory {
    const { history: bounds, channelBytes, onDrop } = this.#options
    this.#budget.bytes += historyOverheadBytes
    const bufferOptions = { maxCount: bounds.size, maxBytes: channelBytes, budget: this.#budget, onDrop }
    const history = { channel, buffer: new HistoryBuffer(bufferOptions), previous: undefined, next: undefined }
    channel.history = history
    this.#histories.push(history)
    return history
  }

  #dropHistory(channel: Channel): void {
    const { history } = channel
    if (history === undefined) return
    history.buffer.clear()
    channel.history = undefined
    this.#histories.remove(history)
    this.#budget.bytes -= historyOverheadBytes
    this.#options.onChange(channel.name)
  }

  #remove(channel: Channel): void {
    this.#dropHistory(channel)
    // A channel that was never published to is saved only at the end.
    if (channel.offset > 0) this.#options.onChange(channel.name)
    this.#channels.delete(channel.name)
    this.#order.remove(channel)
    this.#budget.bytes -= channelOverheadBytes + textBytes(channel.name)
  }

  get #isOverBound(): boolean {
    const { maxChannels, totalBytes } = this.#options
    return this.size > maxChannels || this.#budget.bytes > totalBytes
  }

  /** Drops channels until the bounds hold, except the one in use. */
  #evict(inUse: Channel): void {
    while (this.#isOverBound) {
      const oldest = this.#order.oldest(inUse)
      if (oldest === undefined) return
      this.#remove(oldest)
    }
  }
}
