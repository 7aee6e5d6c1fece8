import type { InstanceAnnouncement } from '../bridge.js'
import { StoreUnavailable } from '../errors.js'
import { identityKey, type Store } from '../store.js'
import { createRedisBridge, type SubscribeToChannel } from './bridge.js'
import { createRedisCalls } from './calls.js'
import { channelConstants } from './channel-constants.js'
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
import { readInstances } from './instances.js'
import { createKeys, type Keys } from './keys.js'
import { readRedisMemory } from './memory.js'
import { RedisPin } from './pin.js'
import { createRedisPresence } from './presence.js'
import { whyNotSharded } from './pubsub/detect-sharded.js'
import { PublicationForms } from './pubsub/publication-forms.js'
import { createRedisQuotas } from './quotas.js'
import { integerOf } from './replies.js'
import { createRedisRestore } from './restore.js'
import { within } from './within.js'

/** Longest wait of a ping: readiness must fail within a second after the store is lost. */
const pingTimeoutMs = 800
const probeLifeMs = 5000

export interface RedisStoreOptions extends Partial<RedisChannelsOptions>, Omit<RedisConnection, 'url'> {
  /** Separates several gateways in one Redis. Default `cs`. */
  readonly prefix?: string
  /** Called once for each key with a value that no gateway wrote. */
  readonly onUnreadable?: (key: string) => void
  /** Longest wait for the first connection, in milliseconds. Default 30,000. */
  readonly connectWithinMs?: number
  /** Redis is reachable, and refuses connections for a reason that does not pass by itself. At most once a minute. */
  readonly onRefused?: (diagnosis: Diagnosis) => void
  /** Publications are sent and received in the plain form, for this reason. */
  readonly onPlain?: (reason: string) => void
  /** See `PublicationForms`; in milliseconds. */
  readonly bothFormsMs?: number
}

interface ClientListeners {
  readonly onError: (error: Error) => void
  readonly onUnreadable: ((key: string) => void) | undefined
}

/** @throws StoreUnavailable; the message of its cause states why and what to do */
async function openClient(
  connection: RedisConnection,
  { onError, onUnreadable }: ClientListeners,
  { history, channelBytes, connectWithinMs = 30_000 }: RedisStoreOptions
): Promise<RedisClient> {
  const redis = new RedisClient(connection, onError, onUnreadable, channelConstants(history, channelBytes))
  try {
    await redis.ready(connectWithinMs)
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

/** @param open  subscriptions that are not closed */
function createSubscribe(
  connection: RedisConnection,
  open: Set<Subscription>,
  onError: (error: Error) => void
): SubscribeToChannel {
  return (channel, onMessage, onConnected) => {
    const subscription = subscribe(connection, channel, { onMessage, onConnected, onError })
    open.add(subscription)
    return () => {
      open.delete(subscription)
      subscription.close()
    }
  }
}

/** Determines the forms in which publications are sent and received. @throws StoreUnavailable */
async function openForms(
  redis: RedisClient,
  connection: RedisConnection,
  keys: Keys,
  { onPlain, bothFormsMs }: RedisStoreOptions
): Promise<PublicationForms> {
  const reason = await whyNotSharded(redis, connection, keys)
  if (reason !== undefined) onPlain?.(reason)
  const forms = new PublicationForms(reason === undefined, () => performance.now(), bothFormsMs)
  await learnForms(forms, redis, keys)
  return forms
}

/** @throws StoreUnavailable */
async function learnForms(
  forms: PublicationForms,
  redis: RedisClient,
  keys: Keys
): Promise<readonly InstanceAnnouncement[] | undefined> {
  const instances = await readInstances(redis, keys)
  forms.learn((instances ?? []).flatMap(instance => instance.forms ?? []))
  return instances?.map(({ announcement }) => announcement)
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
  const redis = await openClient(connection, { onError, onUnreadable: options.onUnreadable }, options)
  const pin = new RedisPin(redis, keys.record(identityKey))
  const subscriptions = new Set<Subscription>()
  const subscribeTo = createSubscribe(connection, subscriptions, onError)
  const changes = createSignal()
  subscribeTo(keys.changeChannel, changes.notify, changes.notify)
  const forms = await openForms(redis, connection, keys, options)
  const channels = createRedisChannels({ ...options, redis, keys, pin, connection, forms, onError })
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
    bridge: createRedisBridge(redis, keys, pin, subscribeTo, forms),
    calls: createRedisCalls(redis, keys, subscribeTo),
    quotas: createRedisQuotas(redis, keys),
    async announcements() {
      const announced = await learnForms(forms, redis, keys)
      await channels.followForms()
      return announced
    },
    bounds: () => [],
    memory: () => readRedisMemory(redis),
    get isFull() {
      return redis.isFull
    },
    // A write, because a read-only, full or paused server still answers PING.
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
