import { randomBytes } from 'node:crypto'
import {
  type ChannelStore,
  defaultHistory,
  type HistoryBounds,
  historyBytes,
  idempotencyLifeMs,
  type Position
} from '../channels.js'
import { dataDigest } from '../data-digest.js'
import { newEpoch } from '../epochs.js'
import { parseHistory } from './channel-messages.js'
import type { RedisClient } from './client.js'
import { connectOnce } from './connections.js'
import type { Keys } from './keys.js'
import { PublicationReceiver } from './pubsub/publication-receiver.js'
import { integerOf, listOf, textOf, textsOf } from './replies.js'

/** A channel is forgotten this long after its last use; it then comes back with another epoch. Milliseconds. */
const channelLifeMs = 24 * 60 * 60 * 1000
/** The same for `session:…`, which nobody can recover. */
const sessionChannelLifeMs = 60 * 60 * 1000
const probeChannelLifeMs = 60 * 1000
/** Channels per script without a Cluster: the server does nothing else while a script runs. */
const topsBatch = 250

export interface RedisChannelsOptions {
  readonly history?: HistoryBounds
  /** Most bytes of one channel's history. Default {@link historyBytes}. */
  readonly channelBytes?: number
  /** See `LivenessProbe`; in milliseconds. */
  readonly silenceMs?: number
  /** See `NotificationQueue`. */
  readonly maxWaiting?: number
  /** Called with each connection error. */
  readonly onError: (error: Error) => void
}

export interface RedisChannels {
  readonly channels: ChannelStore
  /** Resolves when publications are received, or could not be within a few seconds; attempts then go on. */
  readonly started: Promise<void>
  close(): void
}

/** The scripts of channels. */
class ChannelScripts {
  /** No client can name such a channel. */
  readonly probeChannel = `@probe-${randomBytes(9).toString('base64url')}`
  readonly #redis: RedisClient
  readonly #keys: Keys
  readonly #history: HistoryBounds
  readonly #channelBytes: number

  constructor(redis: RedisClient, keys: Keys, { history = defaultHistory, channelBytes }: RedisChannelsOptions) {
    this.#redis = redis
    this.#keys = keys
    this.#history = history
    this.#channelBytes = channelBytes ?? historyBytes
  }

  readonly publish: ChannelStore['publish'] = async (channel, data, { publishedAt, idempotencyKey }) => {
    const lifeMs = this.#lifeOf(channel)
    const touched = this.#keysOf(channel)
    const historyLifeMs = Math.min(this.#history.lifeMs, lifeMs)
    const args = [data, publishedAt, newEpoch(), this.#history.size, this.#channelBytes, historyLifeMs, lifeMs]
    if (idempotencyKey !== '') {
      touched.push(this.#keys.channelResult(channel, idempotencyKey))
      args.push(dataDigest(data), idempotencyLifeMs)
    }
    const [code, offset, epoch] = listOf(await this.#redis.script('channelPublish', touched, args))
    if (code === -1) return 'conflict'
    return { offset: integerOf(offset), epoch: textOf(epoch), duplicate: code === 0 }
  }

  readonly read: ChannelStore['read'] = async (channel, after, limit) => {
    const position = after === undefined ? [] : [after.offset, after.epoch]
    const args = [newEpoch(), this.#lifeOf(channel), limit, ...position]
    const reply = await this.#redis.script('channelRead', this.#keysOf(channel), args)
    const [offset, epoch, entries] = listOf(reply)
    const top = { offset: integerOf(offset), epoch: textOf(epoch) }
    return entries === undefined ? { top } : { top, publications: parseHistory(textsOf(entries), top.offset) }
  }

  readonly tops: ChannelStore['tops'] = async names => {
    const size = this.#redis.isCluster ? 1 : topsBatch
    const batches = Array.from({ length: Math.ceil(names.length / size) }, (_, i) =>
      this.#topsOf(names.slice(i * size, (i + 1) * size))
    )
    return (await Promise.all(batches)).flat()
  }

  async #topsOf(names: readonly string[]): Promise<Position[]> {
    const touched = names.flatMap(name => this.#keysOf(name))
    const args = names.flatMap(name => [newEpoch(), this.#lifeOf(name)])
    const reply = listOf(await this.#redis.script('channelTops', touched, args))
    return names.map((_name, i) => ({ offset: integerOf(reply[2 * i]), epoch: textOf(reply[2 * i + 1]) }))
  }

  #keysOf(channel: string): string[] {
    return [this.#keys.channel(channel), this.#keys.channelHistory(channel)]
  }

  #lifeOf(channel: string): number {
    if (channel === this.probeChannel) return probeChannelLifeMs
    return channel.startsWith('session:') ? sessionChannelLifeMs : channelLifeMs
  }
}

/** Channels in Redis: one atomic script per method, and a connection of its own for notifications. */
export function createRedisChannels(
  redis: RedisClient,
  keys: Keys,
  url: string,
  options: RedisChannelsOptions
): RedisChannels {
  const scripts = new ChannelScripts(redis, keys, options)
  const { publish, read, tops, probeChannel } = scripts
  const receiver = new PublicationReceiver({
    ...options,
    open: attempt => connectOnce(url, attempt),
    nameOf: keys.channel,
    probeChannel,
    probe: async () => void (await publish(probeChannel, '', { publishedAt: 0, idempotencyKey: '' }))
  })
  return {
    channels: {
      publish,
      read,
      tops,
      listen: names => receiver.listen(names),
      unlisten: names => receiver.unlisten(names),
      onPublication: listener => receiver.onPublication(listener),
      get isReceiving() {
        return receiver.isReceiving
      },
      counts: receiver.counts
    },
    started: receiver.started,
    close: () => receiver.close()
  }
}
