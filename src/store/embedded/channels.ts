import {
  type ChannelState,
  type ChannelStore,
  type Dropped,
  defaultHistory,
  type HistoryBounds,
  historyBytes,
  type Position,
  type Published,
  type PublishOptions
} from '../channels.js'
import { dataDigest } from '../data-digest.js'
import { publicationBytes, resultOverheadBytes, shareOfHeap } from '../memory-cost.js'
import { firstOwnerOf } from '../owners.js'
import type { StoreBound } from '../store.js'
import type { Appended } from './channel-entry.js'
import { ChannelTable } from './channel-table.js'
import { ClientResults, SessionResults } from './idempotency-results.js'
import { PublicationNotifier } from './publication-notifier.js'

/** Most channels. */
const defaultMaxChannels = 200_000
/** Bytes of all channels and their histories together: at most a quarter of the heap, and at most this. */
const maxTotalBytes = 512 * 1024 * 1024
const channelHeapShare = 1 / 4
/** Results of clients' keys: 1,000 publications with a key per second, if the heap is large enough. */
export const maxClientResults = 300_000
/** Results of messages of bridge sessions. */
const maxBridgeResults = 200_000
const resultHeapShare = 1 / 16
/** An idempotency result with the longest usual key: client, channel, key. */
const resultBytes = resultOverheadBytes + 256
/** Results and sessions that one call of `removeExpired` frees, at most. */
const maxRemovals = 5000

export interface EmbeddedChannelsOptions {
  readonly history?: HistoryBounds
  /** Most bytes of one channel's history. Default {@link historyBytes}. */
  readonly channelBytes?: number
  /** Most bytes of all channels and their histories together. Default: a quarter of the heap, 512 MiB at most. */
  readonly totalBytes?: number
  /** Most channels. Default 200,000. */
  readonly channels?: number
  /** Most results of clients' idempotency keys. Default {@link maxClientResults}, or what a small heap holds. */
  readonly idempotencyResults?: number
}

/** Channels in memory, with members that only the embedded store needs. */
export interface EmbeddedChannels extends ChannelStore {
  readonly table: ChannelTable
  readonly results: ClientResults
  /** Drops results of messages of a bridge session. */
  endSession(sessionId: string): void
  bounds(): readonly StoreBound[]
}

/** Delivers publications within the one thread. */
const alwaysReceiving = { isReceiving: true, counts: { dropped: 0, restarts: 0 }, lagMs: 0 }

function publishedOf({ publication, epoch }: Appended): Published {
  return { offset: publication.offset, epoch, duplicate: false }
}

/** Results of idempotency keys, from clients or the gateway. */
class Results {
  readonly ofClients: ClientResults
  readonly ofSessions: SessionResults

  constructor(now: () => number, max: number) {
    this.ofClients = new ClientResults(now, max)
    this.ofSessions = new SessionResults(now, fittingResults(maxBridgeResults))
  }

  /** The answer to a repeat; undefined if the key is new. */
  find(key: string, digest: string, { sessionId }: PublishOptions): Published | 'conflict' | undefined {
    const first = sessionId === undefined ? this.ofClients.get(key) : this.ofSessions.get(sessionId, key)
    if (first === undefined) return undefined
    if (first.digest !== digest) return 'conflict'
    return { offset: first.offset, epoch: first.epoch, duplicate: true }
  }

  /** Call it before {@link add}. @throws ShareExceeded */
  makeCapacity({ sessionId, owners = '' }: PublishOptions): void {
    if (sessionId === undefined) this.ofClients.makeCapacity(firstOwnerOf(owners))
  }

  removeExpired(): void {
    this.ofClients.removeExpired(maxRemovals)
    this.ofSessions.removeExpired(maxRemovals)
  }

  add(key: string, digest: string, { sessionId, owners = '' }: PublishOptions, published: Published): void {
    if (sessionId === undefined) this.ofClients.add(key, firstOwnerOf(owners), digest, published)
    else this.ofSessions.add(sessionId, key, digest, published)
  }
}

function readFrom(
  table: ChannelTable,
  top: Position,
  name: string,
  after: Position | undefined,
  limit: number
): ChannelState {
  if (after === undefined || after.epoch !== top.epoch || after.offset > top.offset) return { top }
  const missed = top.offset - after.offset
  const publications = missed > limit ? undefined : table.newest(name, missed)
  return publications === undefined ? { top } : { top, publications }
}

interface Parts {
  readonly table: ChannelTable
  readonly results: Results
  readonly notifier: PublicationNotifier
}

function publishTo(
  { table, results, notifier }: Parts,
  name: string,
  data: string,
  publish: PublishOptions
): Published | 'conflict' {
  const { publishedAt, idempotencyKey, owners = '' } = publish
  const key = idempotencyKey === '' ? undefined : `${name}\n${idempotencyKey}`
  const digest = key === undefined ? '' : dataDigest(data)
  if (key !== undefined) {
    const repeat = results.find(key, digest, publish)
    if (repeat !== undefined) return repeat
    results.makeCapacity(publish)
  }
  const appended = table.append(name, data, publishedAt, owners)
  const published = publishedOf(appended)
  if (key !== undefined) results.add(key, digest, publish, published)
  if (appended.isListenedTo) notifier.notify(name, appended.epoch, appended.publication)
  return published
}

/** Results that fit into their share of the heap. @param most  upper bound for any heap */
function fittingResults(most: number): number {
  return Math.floor(shareOfHeap(resultHeapShare, most * resultBytes) / resultBytes)
}

/**
 * Channels in memory, for one process: one thread runs every method, so each is atomic.
 * @param now       unix milliseconds
 * @param onChange  called when the part of a channel that survives a restart has changed
 */
export function createEmbeddedChannels(
  now: () => number,
  options: EmbeddedChannelsOptions = {},
  onChange: (name: string) => void = () => {}
): EmbeddedChannels {
  const {
    history = defaultHistory,
    channelBytes = historyBytes,
    totalBytes = shareOfHeap(channelHeapShare, maxTotalBytes),
    channels: maxChannels = defaultMaxChannels,
    idempotencyResults = fittingResults(maxClientResults)
  } = options
  let dropListener: ((dropped: Dropped) => void) | undefined
  const table = new ChannelTable(now, {
    ...{ history, channelBytes, totalBytes, maxChannels, onChange },
    onDrop: ({ owners = '', publishedAt }, bytes) => dropListener?.({ owners, bytes, publishedAt })
  })
  const results = new Results(now, idempotencyResults)
  const notifier = new PublicationNotifier(name => table.isListening(name))

  return {
    table,
    results: results.ofClients,
    publish: (name, data, publish) => publishTo({ table, results, notifier }, name, data, publish),
    findRepeat: async (name, data, publish) =>
      results.find(`${name}\n${publish.idempotencyKey}`, dataDigest(data), publish),
    bytesOf: publicationBytes,
    onDrop(listener) {
      dropListener = listener
    },
    read: async (name, after, limit, created) => readFrom(table, table.top(name, created), name, after, limit),
    newest: async (name, request, created) => table.page(name, request, created),
    tops: async (names, created) => names.map(name => table.top(name, created)),
    exists: async name => table.has(name),
    removeExpired() {
      table.removeExpired()
      results.removeExpired()
    },
    listen: async names => table.listen(names),
    unlisten: names => table.unlisten(names),
    onPublication(listener) {
      notifier.listener = listener
    },
    ...alwaysReceiving,
    endSession: sessionId => results.ofSessions.endSession(sessionId),
    bounds: () => [
      { name: 'history_bytes', used: table.bytes, limit: totalBytes },
      { name: 'channels', used: table.size, limit: maxChannels },
      { name: 'idempotency_results', used: results.ofClients.size, limit: idempotencyResults }
    ]
  }
}
