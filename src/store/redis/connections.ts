import { type Address, type ConnectionTarget, parseConnectionUrl, type RedisConnection } from './connection-url.js'
import { Cluster, Redis } from './ioredis.js'
import { writeOncePerTurn } from './write-once-per-turn.js'

/**
 * ioredis queues commands and repeats them by default. These connections never repeat commands: one that was written
 * when the connection broke may have run, so it is rejected; one that cannot be written is rejected at once.
 */

/** A command without a reply is given up after this time; its outcome is then unknown. */
export const commandTimeoutMs = 2000
const connectTimeoutMs = 2000
/** Longest pause between connection attempts. */
const reconnectMaxMs = 1000
/** Pause before a refused subscription is retried. */
const resubscribeMs = 1000

interface QueueOptions {
  /** Whether commands wait for a connection. */
  readonly enableOfflineQueue: boolean
  /** Reconnections after which waiting commands are rejected; null: never. */
  readonly maxRetriesPerRequest: number | null
}

const failFast: QueueOptions = { enableOfflineQueue: false, maxRetriesPerRequest: 0 }
const waitForever: QueueOptions = { enableOfflineQueue: true, maxRetriesPerRequest: null }

/**
 * The pause before the next connection attempt.
 * @param attempt  from 1
 * @returns milliseconds, with jitter
 */
export function retryDelay(attempt: number): number {
  return Math.min(50 * 2 ** (attempt - 1), reconnectMaxMs) * (0.5 + Math.random() / 2)
}

// After a failover the old primary is read-only. `true` reconnects without repeating the command; 2 would repeat it.
function isDemoted(error: Error): boolean {
  return error.message.startsWith('READONLY')
}

/** ioredis' options for a primary behind sentinels. */
function sentinelOptions(target: Extract<ConnectionTarget, { kind: 'sentinel' }>) {
  const { hosts, name, username, password, sentinelPassword, tls } = target
  return {
    ...{ sentinels: [...hosts], name, failoverDetector: true, sentinelCommandTimeout: commandTimeoutMs },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(tls === undefined ? {} : { tls, sentinelTLS: tls, enableTLSForSentinelMode: true })
  }
}

/** Redis' refusal of the database in the URL. ioredis reports it, and would continue with database 0. */
function isAboutDatabase(error: Error): boolean {
  const command: unknown = Reflect.get(error, 'command')
  return typeof command === 'object' && command !== null && Reflect.get(command, 'name') === 'select'
}

function requireDatabase(client: Redis): Redis {
  // The reply comes before the connection is ready.
  return client.on('error', error => {
    if (isAboutDatabase(error)) client.disconnect(true)
  })
}

function connect(connection: RedisConnection, queue: QueueOptions): Redis | Cluster {
  const options = {
    ...queue,
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    enableAutoPipelining: false,
    retryStrategy: retryDelay,
    reconnectOnError: isDemoted,
    // ioredis would not handle a refusal of its own SUBSCRIBE.
    autoResubscribe: false
  }
  const target = parseConnectionUrl(connection)
  if (target.kind === 'single') return requireDatabase(new Redis(target.url, { ...options, ...tlsOf(target) }))
  if (target.kind === 'sentinel') return new Redis({ ...options, ...sentinelOptions(target) })
  const { kind: _kind, hosts, ...rest } = target
  const { enableOfflineQueue: _, retryStrategy, ...redisOptions } = { ...options, ...rest }
  return new Cluster([...hosts], {
    redisOptions,
    // A certificate is for the configured name, not for the address that ioredis would resolve.
    ...(target.tls === undefined ? {} : { dnsLookup: (host, done) => done(null, host) }),
    // A node is connected at its first command, which waits for at most the timeout of a command.
    enableOfflineQueue: true,
    clusterRetryStrategy: retryStrategy,
    // 0 keeps ioredis from repeating a command that was written when its node's connection broke.
    retryDelayOnFailover: 0
  })
}

function tlsOf({ tls }: ConnectionTarget) {
  return tls === undefined ? {} : { tls }
}

/** Opens a connection for commands, by one of the forms of COUNTERSIGN_STORE. */
export function connectForCommands(connection: RedisConnection): Redis | Cluster {
  return writeOncePerTurn(connect(connection, failFast))
}

/**
 * Opens a connection for subscriptions that never reconnects: its user opens the next one and subscribes there. On a
 * Cluster any node serves the plain form, since its messages reach all nodes.
 * @param attempt  increases, so that all nodes are tried in turn
 * @param node  `host:port` of the Cluster's node to connect to
 */
export function connectOnce(connection: RedisConnection, attempt: number, node?: string): Redis {
  const options = {
    ...failFast,
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    retryStrategy: () => null,
    sentinelRetryStrategy: () => null,
    autoResubscribe: false,
    enableReadyCheck: false
  }
  const target = parseConnectionUrl(connection)
  if (target.kind === 'single') return new Redis(target.url, { ...options, ...tlsOf(target) })
  if (target.kind === 'sentinel') return new Redis({ ...options, ...sentinelOptions(target) })
  const { kind: _kind, hosts, ...rest } = target
  return new Redis({ ...options, ...rest, ...(node === undefined ? hosts[attempt % hosts.length] : addressOf(node)) })
}

/** @param node  `host:port`; the host may be an IPv6 address */
function addressOf(node: string): Address {
  const end = node.lastIndexOf(':')
  return { host: node.slice(0, end), port: Number(node.slice(end + 1)) }
}

export interface SubscriptionHandlers {
  readonly onMessage: (message: string) => void
  /** Called after each subscription, the first included: messages before it may have been lost. */
  readonly onConnected: () => void
  readonly onError: (error: Error) => void
}

export interface Subscription {
  close(): void
}

/**
 * Subscribes to one channel on a separate connection: Redis may close it for exceeding its output limits, which must
 * not affect commands.
 */
export function subscribe(connection: RedisConnection, channel: string, handlers: SubscriptionHandlers): Subscription {
  const client = connect(connection, waitForever)
  let timer: NodeJS.Timeout | undefined
  let isClosed = false
  client.on('error', handlers.onError)
  client.on('message', (_channel: string, message: string) => handlers.onMessage(message))
  // The user's rules may change, so a refused subscription is retried.
  const trySubscribe = () => {
    clearTimeout(timer)
    client.subscribe(channel).then(handlers.onConnected, error => {
      if (isClosed) return
      handlers.onError(error)
      timer = setTimeout(trySubscribe, resubscribeMs)
    })
  }
  client.on('ready', trySubscribe)
  return {
    close() {
      isClosed = true
      client.disconnect()
      clearTimeout(timer)
    }
  }
}
