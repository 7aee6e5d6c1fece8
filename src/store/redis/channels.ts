import { randomBytes } from 'node:crypto'
import { type ChannelStore, defaultHistory, type HistoryBounds, type Position, unpublishedLifeMs } from '../channels.js'
import { dataDigest } from '../data-digest.js'
import { newEpoch } from '../epochs.js'
import { entryOverheadBytes } from './channel-constants.js'
import { ChannelLife } from './channel-life.js'
import { parseHistory } from './channel-messages.js'
import type { RedisClient } from './client.js'
import type { RedisConnection } from './connection-url.js'
import { connectOnce } from './connections.js'
import { slotCount } from './key-slot.js'
import type { Keys } from './keys.js'
import { encodedOwnersBytes } from './owners-suffix.js'
import type { RedisPin } from './pin.js'
import { RedisPublisher, type RedisPublisherParts } from './publisher.js'
import type { PublicationForms } from './pubsub/publication-forms.js'
import { PublicationReceiver } from './pubsub/publication-receiver.js'
import { integerOf, listOf, numberOf, textOf, textsOf } from './replies.js'
import { ScriptBatches } from './script-batches.js'

/** Channels per script without a Cluster: a script blocks the server while it runs. */
const topsBatch = 250

export interface RedisChannelsOptions {
  readonly history?: HistoryBounds
  /** Most bytes of one channel's history. Default `historyBytes`. */
  readonly channelBytes?: number
  /** See `LivenessProbe`; in milliseconds. */
  readonly silenceMs?: number
  /** See `NotificationQueue`. */
  readonly maxWaiting?: number
  /** Called with each connection error. */
  readonly onError: (error: Error) => void
}

interface RedisChannelsParts extends RedisChannelsOptions {
  readonly redis: RedisClient
  readonly keys: Keys
  readonly pin: RedisPin
  readonly connection: RedisConnection
  readonly forms: PublicationForms
}

export interface RedisChannels {
  readonly channels: ChannelStore
  /** Resolves when publications are received, or could not be within a few seconds; attempts then continue. */
  readonly started: Promise<void>
  /** Call it after the forms of publications have changed. @throws StoreUnavailable; attempts then continue */
  followForms(): Promise<void>
  close(): void
}

/** The scripts that read channels. They see publications made before in the same turn of the event loop. */
class ChannelReader {
  readonly #redis: RedisClient
  readonly #keys: Keys
  readonly #pin: RedisPin
  readonly #life: ChannelLife
  readonly #batches: ScriptBatches

  constructor({ redis, keys, pin, life, batches }: RedisPublisherParts) {
    this.#redis = redis
    this.#pin = pin
    this.#keys = keys
    this.#life = life
    this.#batches = batches
  }

  readonly findRepeat: ChannelStore['findRepeat'] = async (channel, data, { idempotencyKey }) => {
    const key = this.#keys.channelResult(channel, idempotencyKey)
    this.#batches.sendBefore(this.#keys.channel(channel))
    const result = await this.#redis.command('GET', key)
    if (typeof result !== 'string') return undefined
    return this.#redis.parse(key, () => {
      const [digest, offset, epoch = ''] = result.split(':')
      const at = numberOf(offset)
      return digest === dataDigest(data) ? { offset: at, epoch, duplicate: true } : 'conflict'
    })
  }

  readonly bytesOf: ChannelStore['bytesOf'] = (data, owners = '') =>
    entryOverheadBytes + Buffer.byteLength(data) + encodedOwnersBytes(owners)

  readonly read: ChannelStore['read'] = async (channel, after, limit, created) => {
    const position = after === undefined ? [] : [after.offset, after.epoch]
    const args = [newEpoch(), unpublishedLifeMs, this.#life.of(channel), limit, ...position]
    const reply = await this.#redis.script('channelRead', this.#keysOf(channel), args)
    const isNew = Array.isArray(reply) && reply[2] === 1
    if (isNew) await this.#pin.verify()
    return this.#redis.parse(this.#keys.channel(channel), () => {
      const [offset, epoch, , entries] = listOf(reply)
      if (isNew) created?.add(channel)
      const top = { offset: integerOf(offset), epoch: textOf(epoch) }
      return entries === undefined ? { top } : { top, publications: parseHistory(textsOf(entries), top.offset) }
    })
  }

  readonly newest: ChannelStore['newest'] = async (channel, { before, limit, maxBytes }, created) => {
    const position = before === undefined ? [] : [before.offset, before.epoch]
    const args = [newEpoch(), unpublishedLifeMs, this.#life.of(channel), limit, maxBytes, ...position]
    const reply = await this.#redis.script('channelNewest', this.#keysOf(channel), args)
    const isNew = Array.isArray(reply) && reply[2] === 1
    if (isNew) await this.#pin.verify()
    return this.#redis.parse(this.#keys.channel(channel), () => {
      const [offset, epoch, , newest, hasOlder, entries] = listOf(reply)
      if (isNew) created?.add(channel)
      const publications = parseHistory(textsOf(entries), integerOf(newest))
      return { top: { offset: integerOf(offset), epoch: textOf(epoch) }, publications, more: hasOlder === 1 }
    })
  }

  readonly tops: ChannelStore['tops'] = async (names, created) => {
    const size = this.#redis.isCluster ? 1 : topsBatch
    const batches = Array.from({ length: Math.ceil(names.length / size) }, (_, i) =>
      this.#topsOf(names.slice(i * size, (i + 1) * size), created)
    )
    return (await Promise.all(batches)).flat()
  }

  readonly exists: ChannelStore['exists'] = async channel => {
    const [key = ''] = this.#keysOf(channel)
    return (await this.#redis.command('EXISTS', key)) === 1
  }

  async #topsOf(names: readonly string[], created?: Set<string>): Promise<Position[]> {
    const touched = names.flatMap(name => this.#keysOf(name))
    const args = names.flatMap(name => [newEpoch(), this.#life.of(name)])
    const reply = listOf(await this.#redis.script('channelTops', touched, [unpublishedLifeMs, ...args]))
    if (names.some((_, i) => reply[3 * i + 2] === 1)) await this.#pin.verify()
    return names.map((name, i) => {
      if (reply[3 * i + 2] === 1) created?.add(name)
      return this.#redis.parse(this.#keys.channel(name), () => ({
        ...{ offset: integerOf(reply[3 * i]), epoch: textOf(reply[3 * i + 1]) }
      }))
    })
  }

  /** Call it just before the command. */
  #keysOf(channel: string): string[] {
    const key = this.#keys.channel(channel)
    this.#batches.sendBefore(key)
    return [key, this.#keys.channelHistory(channel)]
  }
}

/** Channels in Redis: one atomic script per method, and separate connections for notifications. */
export function createRedisChannels(parts: RedisChannelsParts): RedisChannels {
  const { redis, keys, connection } = parts
  // Client channels cannot have this name.
  const probePrefix = `@probe-${randomBytes(9).toString('base64url')}`
  const life = new ChannelLife((parts.history ?? defaultHistory).lifeMs, probePrefix)
  const used = { ...parts, life, batches: new ScriptBatches(redis, 'channelPublish') }
  const publisher = new RedisPublisher(used)
  const { publish } = publisher
  const { findRepeat, bytesOf, read, newest, tops, exists } = new ChannelReader(used)
  const single = Array.from({ length: slotCount }, () => '')
  const receiver = new PublicationReceiver({
    ...parts,
    open: (attempt, node) => connectOnce(connection, attempt, redis.isCluster ? node : undefined),
    shards: {
      isCluster: redis.isCluster,
      owners: () => redis.slotOwners() ?? single,
      refresh: () => redis.refreshSlots()
    },
    nameOf: keys.channel,
    probePrefix,
    probe: async channel => void (await publish(channel, '', { publishedAt: 0, idempotencyKey: '' }))
  })
  return {
    channels: {
      publish,
      findRepeat,
      bytesOf,
      onDrop(listener) {
        publisher.dropListener = listener
      },
      read,
      newest,
      tops,
      exists,
      // Redis expires keys by itself.
      removeExpired() {},
      listen: names => receiver.listen(names),
      unlisten: names => receiver.unlisten(names),
      onPublication: listener => receiver.onPublication(listener),
      get isReceiving() {
        return receiver.isReceiving
      },
      counts: receiver.counts,
      get lagMs() {
        return receiver.lagMs
      }
    },
    started: receiver.started,
    followForms: () => receiver.followForms(),
    close: () => receiver.close()
  }
}
