import type { HistoryBounds, Position, StoredPublication } from '../channels.js'
import { newEpoch } from '../epochs.js'
import { type HistoryBudget, HistoryBuffer } from '../history-buffer.js'

export interface ChannelTableOptions {
  readonly history: HistoryBounds
  /** Most bytes of one channel's history. */
  readonly channelBytes: number
  /** Most bytes of all histories together. */
  readonly totalBytes: number
  /** Most channels. */
  readonly maxChannels: number
}

interface Channel {
  readonly epoch: string
  offset: number
  readonly history: HistoryBuffer
  historyEndsAt: number
}

function topOf({ offset, epoch }: Channel): Position {
  return { offset, epoch }
}

/**
 * Channels with their histories, bounded in number and bytes. Above a bound the least recently used channel is dropped,
 * one that is listened to only if there is no other.
 */
export class ChannelTable {
  readonly #now: () => number
  readonly #options: ChannelTableOptions
  // Both in the order of use, the least recently used first.
  readonly #idle = new Map<string, Channel>()
  readonly #listenedTo = new Map<string, Channel>()
  readonly #listening = new Set<string>()
  // Counts only: whole channels are dropped, so that no history shrinks for the sake of another.
  readonly #budget: HistoryBudget = { bytes: 0, maxBytes: Number.POSITIVE_INFINITY }

  /** @param now  unix milliseconds */
  constructor(now: () => number, options: ChannelTableOptions) {
    this.#now = now
    this.#options = options
  }

  isListening(name: string): boolean {
    return this.#listening.has(name)
  }

  listen(name: string): void {
    this.#listening.add(name)
    const channel = this.#idle.get(name)
    if (channel === undefined) return
    this.#idle.delete(name)
    this.#listenedTo.set(name, channel)
  }

  unlisten(name: string): void {
    this.#listening.delete(name)
    const channel = this.#listenedTo.get(name)
    if (channel === undefined) return
    this.#listenedTo.delete(name)
    this.#idle.set(name, channel)
  }

  top(name: string): Position {
    return topOf(this.#use(name))
  }

  /** The newest `count` publications; undefined if the history does not hold that many. */
  newest(name: string, count: number): readonly StoredPublication[] | undefined {
    const channel = this.#use(name)
    if (channel.historyEndsAt <= this.#now()) channel.history.clear()
    return channel.history.newest(count)
  }

  append(name: string, data: string, publishedAt: number): { epoch: string; publication: StoredPublication } {
    const channel = this.#use(name)
    if (channel.historyEndsAt <= this.#now()) channel.history.clear()
    const publication = { offset: ++channel.offset, data, publishedAt }
    channel.history.push(publication)
    channel.historyEndsAt = this.#now() + this.#options.history.lifeMs
    if (this.#budget.bytes > this.#options.totalBytes) this.#evict(channel)
    return { epoch: channel.epoch, publication }
  }

  /** The channel, created if it is unknown, as the most recently used. */
  #use(name: string): Channel {
    const channels = this.#listening.has(name) ? this.#listenedTo : this.#idle
    const known = channels.get(name)
    if (known !== undefined) {
      channels.delete(name)
      channels.set(name, known)
      return known
    }
    const { history: bounds, channelBytes } = this.#options
    const history = new HistoryBuffer({ maxCount: bounds.size, maxBytes: channelBytes, budget: this.#budget })
    const channel: Channel = { epoch: newEpoch(), offset: 0, history, historyEndsAt: 0 }
    channels.set(name, channel)
    this.#evict(channel)
    return channel
  }

  get #isOverBound(): boolean {
    const { maxChannels, totalBytes } = this.#options
    return this.#idle.size + this.#listenedTo.size > maxChannels || this.#budget.bytes > totalBytes
  }

  /** Drops channels until the bounds hold, but not the one in use. */
  #evict(inUse: Channel): void {
    while (this.#isOverBound) {
      const channels = this.#idle.size > 0 ? this.#idle : this.#listenedTo
      const [oldest] = channels
      if (oldest === undefined || oldest[1] === inUse) return
      channels.delete(oldest[0])
      oldest[1].history.clear()
    }
  }
}
