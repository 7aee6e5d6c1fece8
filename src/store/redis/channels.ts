import { randomBytes } from 'node:crypto'
import {
  type ChannelStore,
  channelLifeMs,
  type Dropped,
  defaultHistory,
  type HistoryBounds,
  idempotencyLifeMs,
  type Position,
  type Published,
  sessionResultLifeMs,
  unpublishedLifeMs
} from '../channels.js'
import { dataDigest } from '../data-digest.js'
import { newEpoch } from '../epochs.js'
import { entryOverheadBytes } from './channel-constants.js'
import { parseHistory } from './channel-messages.js'
import type { RedisClient } from './client.js'
import type { RedisConnection } from './connection-url.js'
import { connectOnce } from './connections.js'
import { slotCount } from './key-slot.js'
import type { Keys } from './keys.js'
import { encodedOwnersBytes, encodeOwners, parseHead } from './owners-suffix.js'
import type { RedisPin } from './pin.js'
import type { PublicationForms } from './pubsub/publication-forms.js'
import { PublicationReceiver } from './pubsub/publication-receiver.js'
import { integerOf, listOf, numberOf, textOf, textsOf } from './replies.js'

/** Longest life of `session:…`, which nobody can recover after its session, in milliseconds. */
const sessionChannelLifeMs = 60 * 60 * 1000
const probeChannelLifeMs = 60 * 1000
/** Channels per script without a Cluster: the server does nothing else while a script runs. */
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
  /** Resolves when publications are received, or could not be within a few seconds; attempts then go on. */
  readonly started: Promise<void>
  /** To be called after the forms of publications have changed. @throws StoreUnavailable; attempts then go on */
  followForms(): Promise<void>
  close(): void
}

/** The scripts of channels. */
class ChannelScripts {
  /** What the channels of this instance's probes begin with. No client can name such a channel. */
  readonly probePrefix = `@probe-${randomBytes(9).toString('base64url')}`
  readonly #redis: RedisClient
  readonly #keys: Keys
  readonly #pin: RedisPin
  readonly #lifeMs: number
  readonly #forms: PublicationForms

  constructor({ redis, keys, pin, forms, history = defaultHistory }: RedisChannelsParts) {
    this.#redis = redis
    this.#pin = pin
    this.#keys = keys
    this.#forms = forms
    this.#lifeMs = channelLifeMs(true, history.lifeMs)
  }

  dropListener: ((dropped: Dropped) => void) | undefined

  readonly publish: ChannelStore['publish'] = async (channel, data, options) => {
    const { publishedAt, idempotencyKey, sessionId, owners = '' } = options
    const touched = this.#keysOf(channel)
    const args = [data, publishedAt, newEpoch(), encodeOwners(owners), this.#forms.sent]
    const shorterLifeMs = this.#shorterLifeOf(channel)
    if (shorterLifeMs !== undefined || idempotencyKey !== '') args.push(shorterLifeMs ?? '')
    if (idempotencyKey !== '') {
      touched.push(this.#keys.channelResult(channel, idempotencyKey))
      args.push(dataDigest(data), sessionId === undefined ? idempotencyLifeMs : sessionResultLifeMs)
    }
    const reply = await this.#redis.script('channelPublish', touched, args)
    const published = this.#redis.parse(touched.at(-1) ?? '', () => this.#parsePublished(reply))
    // The first publication of a channel, or an emptied store.
    if (published !== 'conflict' && published.offset === 1) await this.#pin.verify()
    return published
  }

  /** See scripts/channel-publish.lua. @throws UnexpectedReply */
  #parsePublished(reply: unknown): Published | 'conflict' {
    if (typeof reply !== 'string') {
      const [offset, epoch] = listOf(reply)
      return offset === undefined ? 'conflict' : { offset: integerOf(offset), epoch: textOf(epoch), duplicate: true }
    }
    const [offset, epoch = '', ...dropped] = reply.split(':')
    for (let i = 0; i + 1 < dropped.length; i += 2) {
      this.dropListener?.({ ...parseHead(dropped[i] ?? ''), bytes: Number(dropped[i + 1]) })
    }
    return { offset: Number(offset), epoch, duplicate: false }
  }

  readonly findRepeat: ChannelStore['findRepeat'] = async (channel, data, { idempotencyKey }) => {
    const key = this.#keys.channelResult(channel, idempotencyKey)
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
    const args = [newEpoch(), unpublishedLifeMs, this.#lifeOf(channel), limit, ...position]
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
    const args = [newEpoch(), unpublishedLifeMs, this.#lifeOf(channel), limit, maxBytes, ...position]
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

  readonly exists: ChannelStore['exists'] = async channel =>
    (await this.#redis.command('EXISTS', this.#keys.channel(channel))) === 1

  async #topsOf(names: readonly string[], created?: Set<string>): Promise<Position[]> {
    const touched = names.flatMap(name => this.#keysOf(name))
    const args = names.flatMap(name => [newEpoch(), this.#lifeOf(name)])
    const reply = listOf(await this.#redis.script('channelTops', touched, [unpublishedLifeMs, ...args]))
    if (names.some((_, i) => reply[3 * i + 2] === 1)) await this.#pin.verify()
    return names.map((name, i) => {
      if (reply[3 * i + 2] === 1) created?.add(name)
      return this.#redis.parse(this.#keys.channel(name), () => ({
        ...{ offset: integerOf(reply[3 * i]), epoch: textOf(reply[3 * i + 1]) }
      }))
    })
  }

  #keysOf(channel: string): string[] {
    return [this.#keys.channel(channel), this.#keys.channelHistory(channel)]
  }

  #lifeOf(channel: string): number {
    return this.#shorterLifeOf(channel) ?? this.#lifeMs
  }

  /** Undefined for most channels. */
  #shorterLifeOf(channel: string): number | undefined {
    if (channel.startsWith(this.probePrefix)) return probeChannelLifeMs
    return channel.startsWith('session:') ? Math.min(sessionChannelLifeMs, this.#lifeMs) : undefined
  }
}

/** Channels in Redis: one atomic script per method, and connections of their own for notifications. */
export function createRedisChannels(parts: RedisChannelsParts): RedisChannels {
  const { redis, keys, connection } = parts
  const scripts = new ChannelScripts(parts)
  const { publish, findRepeat, bytesOf, read, newest, tops, exists, probePrefix } = scripts
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
        scripts.dropListener = listener
      },
      read,
      newest,
      tops,
      exists,
      // Keys end by themselves.
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
