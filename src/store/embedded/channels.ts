import { type ChannelStore, defaultHistory, type HistoryBounds, historyBytes, idempotencyLifeMs } from '../channels.js'
import { dataDigest } from '../data-digest.js'
import { ChannelTable } from './channel-table.js'
import { IdempotencyResults, maxIdempotencyResults } from './idempotency-results.js'
import { PublicationNotifier } from './publication-notifier.js'

/** Channels that are kept. */
const defaultMaxChannels = 200_000
/** Bytes of data in all histories together. */
const defaultTotalBytes = 512 * 1024 * 1024

export interface EmbeddedChannelsOptions {
  readonly history?: HistoryBounds
  /** Most bytes of one channel's history. Default {@link historyBytes}. */
  readonly channelBytes?: number
  /** Most bytes of all histories together. Default 512 MiB. */
  readonly totalBytes?: number
  /** Most channels. Default 200,000. */
  readonly channels?: number
  /** Most results of idempotency keys. Default {@link maxIdempotencyResults}. */
  readonly idempotencyResults?: number
}

/**
 * Channels in memory, for one process: one thread runs every method, so each is atomic. A restart begins new epochs.
 * @param now  unix milliseconds
 */
export function createEmbeddedChannels(now: () => number, options: EmbeddedChannelsOptions = {}): ChannelStore {
  const table = new ChannelTable(now, {
    history: options.history ?? defaultHistory,
    channelBytes: options.channelBytes ?? historyBytes,
    totalBytes: options.totalBytes ?? defaultTotalBytes,
    maxChannels: options.channels ?? defaultMaxChannels
  })
  const results = new IdempotencyResults(now, idempotencyLifeMs, options.idempotencyResults ?? maxIdempotencyResults)
  const notifier = new PublicationNotifier(name => table.isListening(name))

  return {
    async publish(name, data, { publishedAt, idempotencyKey }) {
      const key = idempotencyKey === '' ? undefined : `${name}\n${idempotencyKey}`
      const digest = key === undefined ? '' : dataDigest(data)
      if (key !== undefined) {
        const first = results.get(key)
        if (first !== undefined) {
          return first.digest === digest ? { offset: first.offset, epoch: first.epoch, duplicate: true } : 'conflict'
        }
        results.evictExpired()
      }
      const { epoch, publication } = table.append(name, data, publishedAt)
      const position = { offset: publication.offset, epoch }
      if (key !== undefined) results.add(key, digest, position)
      if (table.isListening(name)) notifier.notify(name, epoch, publication)
      return { ...position, duplicate: false }
    },
    async read(name, after, limit) {
      const top = table.top(name)
      if (after === undefined || after.epoch !== top.epoch || after.offset > top.offset) return { top }
      const missed = top.offset - after.offset
      const publications = missed > limit ? undefined : table.newest(name, missed)
      return publications === undefined ? { top } : { top, publications }
    },
    tops: async names => names.map(name => table.top(name)),
    async listen(names) {
      for (const name of names) table.listen(name)
    },
    unlisten(names) {
      for (const name of names) table.unlisten(name)
    },
    onPublication(listener) {
      notifier.listener = listener
    },
    isReceiving: true,
    counts: { dropped: 0, restarts: 0 }
  }
}
