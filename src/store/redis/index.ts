import { StoreUnavailable } from '../errors.js'
import { identityKey, type Store } from '../store.js'
import { createRedisBridge } from './bridge.js'
import { createRedisCalls } from './calls.js'
import { createRedisChannels, type RedisChannelsOptions } from './channels.js'
import { RedisClient } from './client.js'
import type { RedisConnection } from './connection-url.js'
import { type Subscription, subscribe } from './connections.js'
import { createDiagnoser, diagnose } from './diagnose.js'
import { createRedisDurable } from './durable.js'
import {
  createRedisChallenges,
  createRedisLicenseSlots,
  createRedisRateLimits,
  createRedisSessions,
  createRedisTickets
} from './ephemeral.js'
import { withoutCommand } from './errors.js'
import type { Diagnosis } from './explain-error.js'
import { announcements } from './instances.js'
import { createKeys } from './keys.js'
import { readRedisMemory } from './memory.js'
import { RedisPin } from './pin.js'
import { createRedisPresence } from './presence.js'
import { createRedisQuotas } from './quotas.js'
import { integerOf } from './replies.js'
import { createRedisRestore } from './restore.js'
import { within } from './within.js'

/** Longest wait of a ping: readiness must turn red within a second after the store is lost. */
const pingTimeoutMs = 800
const probeLifeMs = 5000

export interface RedisStoreOptions extends Partial<RedisChannelsOptions>, Omit<RedisConnection, 'url'> {
  /** Separates several gateways in one Redis. Default `cs`. */
  readonly prefix?: string
  /** Called once for each key whose value no gateway wrote. */
  readonly onUnreadable?: (key: string) => void
  /** Longest wait for the first connection, in milliseconds. Default 30,000. */
  readonly connectWithinMs?: number
  /** Redis is there, and refuses connections for a reason that waiting does not mend. At most once a minute. */
  readonly onRefused?: (diagnosis: Diagnosis) => void
}

interface ClientListeners {
  readonly onError: (error: Error) => void
  readonly onUnreadable: ((key: string) => void) | undefined
}

/** @throws StoreUnavailable; the message of its cause states why and what to do */
async function openClient(
  connection: RedisConnection,
  { onError, onUnreadable }: ClientListeners,
  withinMs = 30_000
): Promise<RedisClient> {
  const redis = new RedisClient(connection, onError, onUnreadable)
  try {
    await redis.ready(withinMs)
    return redis
  } catch (error) {
    redis.disconnect()
    const why = await diagnose(connection)
    if (why === undefined) throw error
    throw new StoreUnavailable(new Error(`${why.cause}: ${why.todo}`, { cause: error }), 'unsent')
  }
}

function createSignal() {
  const listeners = new Set<() => void>()
  return {
    notify() {
      for (const listener of listeners) listener()
    },
    listen(listener: () => void): () => void {
      listeners.add(listener)
      return () => listeners.delete(listener)
    }
  }
}

/**
 * Opens the store that any number of instances share.
 * @param url  one of the forms of COUNTERSIGN_STORE
 * @throws StoreUnavailable if Redis does not answer within `connectWithinMs`; the message of its cause states why and
 *   what to do
 */
export async function openRedisStore(url: string, options: RedisStoreOptions = {}): Promise<Store> {
  const { prefix = 'cs' } = options
  const connection: RedisConnection = { ...options, url }
  const keys = createKeys(prefix)
  const investigate = createDiagnoser(connection, diagnosis => options.onRefused?.(diagnosis))
  const onError = (error: Error) => {
    options.onError?.(withoutCommand(error))
    if (options.onRefused !== undefined) investigate(error)
  }
  const redis = await openClient(connection, { onError, onUnreadable: options.onUnreadable }, options.connectWithinMs)
  const pin = new RedisPin(redis, keys.record(identityKey))
  const subscriptions = new Set<Subscription>()
  const subscribeTo = (channel: string, onMessage: (message: string) => void, onConnected: () => void) => {
    const subscription = subscribe(connection, channel, { onMessage, onConnected, onError })
    subscriptions.add(subscription)
    return () => {
      subscriptions.delete(subscription)
      subscription.close()
    }
  }
  const changes = createSignal()
  subscribeTo(keys.changeChannel, changes.notify, changes.notify)
  const channels = createRedisChannels(redis, keys, pin, connection, { ...options, onError })
  await channels.started

  return {
    kind: 'redis',
    durations: redis.durations,
    pin,
    restore: createRedisRestore(redis, keys),
    durable: createRedisDurable(redis, keys, pin, changes.listen),
    challenges: createRedisChallenges(redis, keys, pin),
    sessions: createRedisSessions(redis, keys, pin),
    licenseSlots: createRedisLicenseSlots(redis, keys),
    tickets: createRedisTickets(redis, keys, pin),
    rateLimits: createRedisRateLimits(redis, keys),
    channels: channels.channels,
    presence: createRedisPresence(redis, keys, pin),
    bridge: createRedisBridge(redis, keys, pin, subscribeTo),
    calls: createRedisCalls(redis, keys, subscribeTo),
    quotas: createRedisQuotas(redis, keys),
    announcements: () => announcements(redis, keys),
    bounds: () => [],
    memory: () => readRedisMemory(redis),
    get isFull() {
      return redis.isFull
    },
    // A write, because a server that is read-only, full or paused still answers PING.
    async ping() {
      await within(pingTimeoutMs, redis.unguarded('SET', keys.probe, '1', 'PX', probeLifeMs))
    },
    time: async () => integerOf(await redis.unguardedScript('storeTime', [keys.sessionDeadlines], [])),
    async close() {
      channels.close()
      for (const subscription of subscriptions) subscription.close()
      redis.disconnect()
    }
  }
}
