import {
  type ChannelListener,
  type ChannelStore,
  defaultHistory,
  type HistoryBounds,
  historyBytes,
  idempotencyLifeMs,
  type Position,
  type Published,
  type StoredPublication
} from '../channels.js'
import { dataDigest } from '../data-digest.js'
import { newEpoch } from '../epochs.js'
import { StoreUnavailable } from '../store.js'
import { createHistory, type History } from './history.js'

/** Channels in memory, for one process: one thread runs every verb, so each is atomic. A restart begins new epochs. */

/** Channels that are remembered. Beyond, the one longest untouched is forgotten, those that are listened to last. */
export const maxChannels = 200_000
/** Bytes of data that all histories hold together. Beyond, channels are forgotten likewise. */
export const maxHistoryBytes = 512 * 1024 * 1024
/** Results kept for repeats: a thousand publications a second that have a key. Beyond, such publications are refused. */
export const maxIdempotencyResults = 300_000

export interface EmbeddedChannelsOptions {
  readonly history?: HistoryBounds
  /** Default {@link historyBytes}. */
  readonly channelBytes?: number
  /** Default {@link maxHistoryBytes}. */
  readonly totalBytes?: number
  /** Default {@link maxChannels}. */
  readonly channels?: number
  /** Default {@link maxIdempotencyResults}. */
  readonly idempotencyResults?: number
}

interface Channel {
  readonly epoch: string
  offset: number
  readonly history: History
  historyEndsAt: number
}

interface Result extends Position {
  readonly digest: string
  readonly endsAt: number
}

interface Word {
  readonly channel: string
  readonly epoch: string
  readonly publication: StoredPublication
}

/** @param now  unix milliseconds */
export function createEmbeddedChannels(now: () => number, options: EmbeddedChannelsOptions = {}): ChannelStore {
  const { history: bounds = defaultHistory, channelBytes = historyBytes, totalBytes = maxHistoryBytes } = options
  const { channels: most = maxChannels, idempotencyResults: mostResults = maxIdempotencyResults } = options

  // Both in the order of touch, the longest untouched first: what makes room is found without a search.
  const quiet = new Map<string, Channel>()
  const followed = new Map<string, Channel>()
  const listened = new Set<string>()
  let bytesKept = 0

  // In the order of their ends, all of one life.
  const results = new Map<string, Result>()

  let listener: ChannelListener | undefined
  // What a listener publishes while it is told of something comes after it.
  const words: Word[] = []
  let telling = false

  function forget(name: string, channel: Channel): void {
    quiet.delete(name)
    followed.delete(name)
    bytesKept -= channel.history.bytes
  }

  function makeRoom(kept: Channel): void {
    while (quiet.size + followed.size > most || bytesKept > totalBytes) {
      const [oldest] = quiet.size > 0 ? quiet : followed
      if (oldest === undefined || oldest[1] === kept) return
      forget(...oldest)
    }
  }

  function touch(name: string): Channel {
    const home = listened.has(name) ? followed : quiet
    const known = home.get(name)
    if (known !== undefined) {
      home.delete(name)
      home.set(name, known)
      return known
    }
    const history = createHistory(bounds.size, channelBytes)
    const channel: Channel = { epoch: newEpoch(), offset: 0, history, historyEndsAt: 0 }
    home.set(name, channel)
    makeRoom(channel)
    return channel
  }

  function forgetHistory(channel: Channel): void {
    bytesKept -= channel.history.bytes
    channel.history.clear()
  }

  function resultOf(name: string): Result | undefined {
    const result = results.get(name)
    return result !== undefined && result.endsAt > now() ? result : undefined
  }

  function remember(name: string, result: Result): void {
    results.delete(name)
    results.set(name, result)
  }

  /** @throws StoreUnavailable where there is none */
  function makeRoomForResult(): void {
    for (const [name, { endsAt }] of results) {
      if (endsAt > now()) break
      results.delete(name)
    }
    if (results.size >= mostResults)
      throw new StoreUnavailable(new Error('too many idempotency keys of late'), 'unsent')
  }

  function tell(word: Word): void {
    words.push(word)
    if (telling) return
    telling = true
    try {
      for (let next = words.shift(); next !== undefined; next = words.shift()) {
        if (listened.has(next.channel)) listener?.publication(next.channel, next.epoch, next.publication)
      }
    } finally {
      telling = false
    }
  }

  function append(name: string, data: string, publishedAt: number): Word {
    const channel = touch(name)
    if (channel.historyEndsAt <= now()) forgetHistory(channel)
    const publication = { offset: ++channel.offset, data, publishedAt }
    bytesKept -= channel.history.bytes
    channel.history.push(publication)
    bytesKept += channel.history.bytes
    channel.historyEndsAt = now() + bounds.lifeMs
    if (bytesKept > totalBytes) makeRoom(channel)
    return { channel: name, epoch: channel.epoch, publication }
  }

  const topOf = ({ offset, epoch }: Channel): Position => ({ offset, epoch })

  return {
    async publish(name, data, { publishedAt, idempotencyKey }): Promise<Published | 'conflict'> {
      const key = idempotencyKey === '' ? undefined : `${name}\n${idempotencyKey}`
      const digest = key === undefined ? '' : dataDigest(data)
      if (key !== undefined) {
        const first = resultOf(key)
        if (first !== undefined) {
          return first.digest === digest ? { offset: first.offset, epoch: first.epoch, duplicate: true } : 'conflict'
        }
        makeRoomForResult()
      }
      const word = append(name, data, publishedAt)
      const position = { offset: word.publication.offset, epoch: word.epoch }
      if (key !== undefined) remember(key, { ...position, digest, endsAt: now() + idempotencyLifeMs })
      if (listened.has(name)) tell(word)
      return { ...position, duplicate: false }
    },
    async read(name, after, limit) {
      const channel = touch(name)
      const top = topOf(channel)
      if (after === undefined || after.epoch !== top.epoch || after.offset > top.offset) return { top }
      const missed = top.offset - after.offset
      if (missed > limit) return { top }
      if (channel.historyEndsAt <= now()) forgetHistory(channel)
      const publications = channel.history.newest(missed)
      return publications === undefined ? { top } : { top, publications }
    },
    async tops(names) {
      return names.map(name => topOf(touch(name)))
    },
    async listen(names) {
      for (const name of names) {
        listened.add(name)
        const channel = quiet.get(name)
        if (channel === undefined) continue
        quiet.delete(name)
        followed.set(name, channel)
      }
    },
    unlisten(names) {
      for (const name of names) {
        listened.delete(name)
        const channel = followed.get(name)
        if (channel === undefined) continue
        followed.delete(name)
        quiet.set(name, channel)
      }
    },
    onPublication(told) {
      listener = told
    },
    isReceiving: true,
    counts: { dropped: 0, restarts: 0 }
  }
}
