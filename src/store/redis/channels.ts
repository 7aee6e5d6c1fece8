import { randomBytes } from 'node:crypto'
import {
  type ChannelCounts,
  type ChannelListener,
  type ChannelState,
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
import { connectOnce, type RedisClient } from './client.js'
import type { Keys } from './keys.js'
import { createLivenessProbe, silenceMs } from './pubsub/liveness-probe.js'
import { createNotificationQueue } from './pubsub/notification-queue.js'
import { createSubscriber } from './pubsub/subscriber.js'
import { integerOf, listOf, textOf, textsOf } from './replies.js'

/** A channel that nobody touches is forgotten after so long; one that comes back has another epoch. Milliseconds. */
const channelLifeMs = 24 * 60 * 60 * 1000
/** The same for `session:…`: nobody can come back to it. */
const sessionChannelLifeMs = 60 * 60 * 1000
const probeChannelLifeMs = 60 * 1000
/** Channels whose tops one script tells where there is no Cluster: the server does nothing else meanwhile. */
const topsBatch = 250
/** How often in an interval of silence it is looked whether something was heard. */
const checksPerSilence = 5

export interface RedisChannelsOptions {
  readonly history?: HistoryBounds
  /** Default {@link historyBytes}. */
  readonly channelBytes?: number
  /** See `deafness.ts`; in milliseconds. */
  readonly silenceMs?: number
  readonly maxWaiting?: number
  /** Told of every connection error. */
  readonly onError: (error: Error) => void
}

export interface RedisChannels {
  readonly channels: ChannelStore
  /** Resolves when it isReceiving, or could not within a few seconds; then it goes on trying. */
  readonly started: Promise<void>
  close(): void
}

interface Word {
  readonly name: string
  readonly message: string
}

/** `offset:unix ms:epoch:data`, see scripts/channel-publish.lua. */
function parseWord(message: string): { epoch: string; publication: StoredPublication } {
  const first = message.indexOf(':')
  const second = message.indexOf(':', first + 1)
  const third = message.indexOf(':', second + 1)
  const offset = Number(message.slice(0, first))
  const publishedAt = Number(message.slice(first + 1, second))
  return {
    epoch: message.slice(second + 1, third),
    publication: { offset, data: message.slice(third + 1), publishedAt }
  }
}

/** `unix ms:data`, the newest at `top`. */
function parseHistory(entries: readonly string[], top: number): StoredPublication[] {
  return entries.map((entry, i) => {
    const end = entry.indexOf(':')
    return {
      offset: top - entries.length + 1 + i,
      data: entry.slice(end + 1),
      publishedAt: Number(entry.slice(0, end))
    }
  })
}

/** Channels in Redis: one atomic script a verb, and a connection of its own for words. */
export function createRedisChannels(
  redis: RedisClient,
  keys: Keys,
  url: string,
  options: RedisChannelsOptions
): RedisChannels {
  const { history = defaultHistory, channelBytes = historyBytes, onError } = options
  const counts: ChannelCounts = { dropped: 0, restarts: 0 }
  // No channel of a client has such a name.
  const probeChannel = `@probe-${randomBytes(9).toString('base64url')}`
  const nameStart = keys.channel('').indexOf('{') + 1

  let listener: ChannelListener | undefined
  const listened = new Set<string>()
  let hasBeenUp = false

  const inbox = createNotificationQueue<Word>(
    ({ name, message }) => {
      const channel = name.slice(nameStart, -1)
      if (!listened.has(channel)) return
      const { epoch, publication } = parseWord(message)
      listener?.publication(channel, epoch, publication)
    },
    () => listener?.mayHaveMissed(),
    options
  )

  const subscriber = createSubscriber({
    open: attempt => connectOnce(url, attempt),
    onError,
    onMessage(name, message) {
      const wasDeaf = deafness.deaf
      deafness.heard()
      if (wasDeaf) listener?.mayHaveMissed()
      inbox.put({ name, message }, message.length)
      counts.dropped = inbox.dropped
    },
    onUp(up) {
      deafness.connected(up)
      if (up && hasBeenUp) listener?.mayHaveMissed()
      hasBeenUp ||= up
    }
  })

  const deafness = createLivenessProbe({
    ...options,
    now: () => performance.now(),
    probe: async () => void (await publish(probeChannel, '', { publishedAt: 0, idempotencyKey: '' })),
    restart() {
      counts.restarts++
      onError(new Error('the connection for subscriptions isReceiving nothing, though publications are accepted'))
      subscriber.restart()
    }
  })
  const started = subscriber.want([keys.channel(probeChannel)]).catch(onError)
  const checking = setInterval(deafness.check, (options.silenceMs ?? silenceMs) / checksPerSilence)
  checking.unref()

  function lifeOf(channel: string): number {
    if (channel === probeChannel) return probeChannelLifeMs
    return channel.startsWith('session:') ? sessionChannelLifeMs : channelLifeMs
  }

  const publish: ChannelStore['publish'] = async (channel, data, { publishedAt, idempotencyKey }) => {
    const lifeMs = lifeOf(channel)
    const touched = [keys.channel(channel), keys.channelHistory(channel)]
    const historyLifeMs = Math.min(history.lifeMs, lifeMs)
    const args = [data, publishedAt, newEpoch(), history.size, channelBytes, historyLifeMs, lifeMs]
    if (idempotencyKey !== '') {
      touched.push(keys.channelResult(channel, idempotencyKey))
      args.push(dataDigest(data), idempotencyLifeMs)
    }
    const [code, offset, epoch] = listOf(await redis.script('channelPublish', touched, args))
    if (code === -1) return 'conflict'
    return { offset: integerOf(offset), epoch: textOf(epoch), duplicate: code === 0 } satisfies Published
  }

  async function topsOf(names: readonly string[]): Promise<Position[]> {
    const touched = names.flatMap(name => [keys.channel(name), keys.channelHistory(name)])
    const args = names.flatMap(name => [newEpoch(), lifeOf(name)])
    const reply = listOf(await redis.script('channelTops', touched, args))
    return names.map((_name, i) => ({ offset: integerOf(reply[2 * i]), epoch: textOf(reply[2 * i + 1]) }))
  }

  const channels: ChannelStore = {
    publish,
    async read(channel, after, limit): Promise<ChannelState> {
      const touched = [keys.channel(channel), keys.channelHistory(channel)]
      const position = after === undefined ? [] : [after.offset, after.epoch]
      const args = [newEpoch(), lifeOf(channel), limit, ...position]
      const [offset, epoch, entries] = listOf(await redis.script('channelRead', touched, args))
      const top = { offset: integerOf(offset), epoch: textOf(epoch) }
      return entries === undefined ? { top } : { top, publications: parseHistory(textsOf(entries), top.offset) }
    },
    async tops(names) {
      const size = redis.isCluster ? 1 : topsBatch
      const batches = Array.from({ length: Math.ceil(names.length / size) }, (_, i) =>
        topsOf(names.slice(i * size, (i + 1) * size))
      )
      return (await Promise.all(batches)).flat()
    },
    async listen(names) {
      for (const name of names) listened.add(name)
      await subscriber.want(names.map(keys.channel))
    },
    unlisten(names) {
      for (const name of names) listened.delete(name)
      subscriber.unwant(names.map(keys.channel))
    },
    onPublication(told) {
      listener = told
    },
    get isReceiving() {
      return subscriber.isUp && !deafness.deaf
    },
    counts
  }

  return {
    channels,
    started,
    close() {
      clearInterval(checking)
      subscriber.close()
      inbox.clear()
    }
  }
}
