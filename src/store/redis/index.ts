import type { Store } from '../store.js'
import { createRedisBridge } from './bridge.js'
import { createRedisChannels, type RedisChannelsOptions } from './channels.js'
import { createRedisClient, subscribe } from './client.js'
import { createRedisDurable } from './durable.js'
import {
  createRedisChallenges,
  createRedisLicenseSlots,
  createRedisRateLimits,
  createRedisSessions,
  createRedisTickets
} from './ephemeral.js'
import { createKeys } from './keys.js'
import { createRedisPresence } from './presence.js'
import { within } from './within.js'

/** Longest wait of a ping: readiness must turn red within a second of the store's loss. */
const pingTimeoutMs = 800
const probeLifeMs = 5000

export interface RedisStoreOptions extends Partial<RedisChannelsOptions> {
  /** Keeps several gateways apart in one Redis. Default `cs`. */
  readonly prefix?: string
  /** Longest wait for the first connection, in milliseconds. Default 30,000. */
  readonly connectWithinMs?: number
}

/**
 * Opens the store that any number of instances share.
 * @param url  see `connect`
 * @throws StoreUnavailable when Redis does not answer within `connectWithinMs`
 */
export async function openRedisStore(url: string, options: RedisStoreOptions = {}): Promise<Store> {
  const { prefix = 'cs', connectWithinMs = 30_000, onError = () => {} } = options
  const keys = createKeys(prefix)
  const redis = createRedisClient(url, onError)
  try {
    await redis.ready(connectWithinMs)
  } catch (error) {
    redis.disconnect()
    throw error
  }
  const listeners = new Set<() => void>()
  const subscription = subscribe(
    url,
    keys.topicChannel,
    () => {
      for (const listener of listeners) listener()
    },
    onError
  )

  const channels = createRedisChannels(redis, keys, url, { ...options, onError })
  await channels.started
  const wordSubscriptions = new Set<{ close(): void }>()

  return {
    kind: 'redis',
    durable: createRedisDurable(redis, keys, listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    }),
    challenges: createRedisChallenges(redis, keys),
    sessions: createRedisSessions(redis, keys),
    licenseSlots: createRedisLicenseSlots(redis, keys),
    tickets: createRedisTickets(redis, keys),
    rateLimits: createRedisRateLimits(redis, keys),
    channels: channels.channels,
    presence: createRedisPresence(redis, keys),
    bridge: createRedisBridge(redis, keys, (channel, onMessage) => {
      const words = subscribe(url, channel, onMessage, onError)
      wordSubscriptions.add(words)
      return () => {
        wordSubscriptions.delete(words)
        words.close()
      }
    }),
    // A write: a server that is read-only, full or paused answers PING all the same.
    async ping() {
      await within(pingTimeoutMs, redis.command('SET', keys.probe, '1', 'PX', probeLifeMs))
    },
    async close() {
      channels.close()
      subscription.close()
      for (const words of wordSubscriptions) words.close()
      redis.disconnect()
    }
  }
}
