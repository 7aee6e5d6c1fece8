import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Cluster, Redis } from 'ioredis'
import { StoreUnavailable } from '../store.js'
import { generationKey } from './keys.js'
import { outcomeOf } from './outcome.js'
import { within } from './within.js'

/**
 * Connections. ioredis' defaults queue and repeat commands; ours never do: a command that was written when the
 * connection broke is rejected, not sent again (it may have run), and one that cannot be written now is rejected now.
 */

/** A command without an answer for so long is given up. Its outcome is unknown. */
const commandTimeoutMs = 2000
const connectTimeoutMs = 2000
/** Longest pause between attempts to connect. */
const reconnectMaxMs = 1000
const generationBytes = 8

const scriptNames = {
  commit: 'commit',
  challengePut: 'challenge-put',
  challengeTake: 'challenge-take',
  sessionOpen: 'session-open',
  sessionEnd: 'session-end',
  sessionReap: 'session-reap',
  seatTake: 'seat-take',
  limitTake: 'limit-take',
  channelPublish: 'channel-publish',
  channelRead: 'channel-read',
  channelTops: 'channel-tops',
  presenceTouch: 'presence-touch',
  presenceLeave: 'presence-leave',
  bridgeOpen: 'bridge-open',
  bridgeExchange: 'bridge-exchange',
  bridgeRead: 'bridge-read',
  bridgeCommit: 'bridge-commit',
  bridgeTakeOver: 'bridge-take-over',
  bridgeEnd: 'bridge-end'
} as const

export type ScriptName = keyof typeof scriptNames
type Argument = string | number

export interface RedisClient {
  /** Whether keys lie on several servers, and a script's keys must share a slot. */
  readonly isCluster: boolean
  /** One command. @throws StoreUnavailable for whatever keeps it from a good answer */
  command(name: string, ...args: readonly Argument[]): Promise<unknown>
  /** One script; its text travels once per connection, then its hash (EVALSHA). @throws StoreUnavailable */
  script(name: ScriptName, keys: readonly string[], args: readonly Argument[]): Promise<unknown>
  /** Resolves once the first connection stands. @throws StoreUnavailable when it does not within `withinMs` */
  ready(withinMs: number): Promise<void>
  disconnect(): void
}

interface QueueOptions {
  /** Whether commands wait for a connection. */
  readonly enableOfflineQueue: boolean
  /** Reconnections after which waiting commands are rejected; null: never. */
  readonly maxRetriesPerRequest: number | null
}

const failFast: QueueOptions = { enableOfflineQueue: false, maxRetriesPerRequest: 0 }
const waitForEver: QueueOptions = { enableOfflineQueue: true, maxRetriesPerRequest: null }

/** @param attempt  from 1 @returns milliseconds, with jitter */
export function retryDelay(attempt: number): number {
  return Math.min(50 * 2 ** (attempt - 1), reconnectMaxMs) * (0.5 + Math.random() / 2)
}

// After a failover the old primary is read-only: connect anew, but never repeat the command (`true`, not 2).
function isDemoted(error: Error): boolean {
  return error.message.startsWith('READONLY')
}

interface Address {
  readonly host: string
  readonly port: number
}

interface Credentials {
  readonly username?: string
  readonly password?: string
}

/** What a form of COUNTERSIGN_STORE asks for. */
export type Connections =
  | { readonly kind: 'single'; readonly url: string }
  | ({ readonly kind: 'cluster'; readonly hosts: readonly Address[] } & Credentials)
  | ({ readonly kind: 'sentinel'; readonly hosts: readonly Address[]; readonly name: string } & Credentials)

const defaultPort = 6379

/** `host`, `host:port` or `[v6]:port`. */
function parseAddress(text: string): Address {
  const { hostname, port } = new URL(`tcp://${text}`)
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? defaultPort : Number(port) }
}

/**
 * Reads a form of COUNTERSIGN_STORE: redis://…, rediss://…, redis+sentinel://[user:password@]host:port,…/name,
 * redis+cluster://[user:password@]host:port,…
 * @throws Error for one that says too little
 */
export function connectionsOf(url: string): Connections {
  const form = /^redis\+(sentinel|cluster):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/?]*)(?:\/([^?]*))?/.exec(url)
  if (form === null) return { kind: 'single', url }
  const [, kind, username = '', password = '', list = '', name = ''] = form
  if (list === '') throw new Error(`redis+${kind}:// needs a host`)
  const hosts = list.split(',').map(parseAddress)
  const credentials = {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) })
  }
  if (kind === 'cluster') return { kind, hosts, ...credentials }
  if (name === '') throw new Error('redis+sentinel://… ends in /<name of the primary>')
  return { kind: 'sentinel', hosts, name, ...credentials }
}

/** Opens a connection by one of the forms of COUNTERSIGN_STORE. */
function connect(url: string, queue: QueueOptions): Redis | Cluster {
  const options = {
    ...queue,
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    enableAutoPipelining: false,
    retryStrategy: retryDelay,
    reconnectOnError: isDemoted
  }
  const wanted = connectionsOf(url)
  if (wanted.kind === 'single') return new Redis(wanted.url, options)
  const { kind, hosts, ...rest } = wanted
  if (kind === 'sentinel') return new Redis({ ...options, ...rest, sentinels: [...hosts], failoverDetector: true })
  const { enableOfflineQueue: _, retryStrategy, ...redisOptions } = { ...options, ...rest }
  return new Cluster([...hosts], {
    redisOptions,
    // Its nodes are connected when they are first asked: what is asked meanwhile waits, for as long as a command may take.
    enableOfflineQueue: true,
    clusterRetryStrategy: retryStrategy,
    // Else a command that was written when its node's connection broke is sent again, though it may have run.
    retryDelayOnFailover: 0
  })
}

/**
 * Opens a connection for subscriptions that lives once: whoever uses it makes the next, and subscribes there itself.
 * Of a Cluster any node will do: words go to all of them.
 * @param attempt  counts up, so that each node has its turn
 */
export function connectOnce(url: string, attempt: number): Redis {
  const options = {
    ...failFast,
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    retryStrategy: () => null,
    sentinelRetryStrategy: () => null,
    autoResubscribe: false,
    enableReadyCheck: false
  }
  const wanted = connectionsOf(url)
  if (wanted.kind === 'single') return new Redis(wanted.url, options)
  const { kind, hosts, ...rest } = wanted
  if (kind === 'sentinel') return new Redis({ ...options, ...rest, sentinels: [...hosts], failoverDetector: true })
  return new Redis({ ...options, ...rest, ...hosts[attempt % hosts.length] })
}

/** A script's text; functions that several share stand in `scripts/include`, asked for by lines `-- include <name>`. */
function readScript(file: string): string {
  const text = readFileSync(new URL(`./scripts/${file}.lua`, import.meta.url), 'utf8')
  return text.replace(/^-- include (.+)$/gm, (_line, name: string) => readScript(`include/${name}`))
}

function loadScripts(): Readonly<Record<ScriptName, string>> {
  const texts = Object.entries(scriptNames).map(([name, file]) => [name, readScript(file)])
  return Object.fromEntries(texts)
}

type Runner = (keyCount: number, ...args: Argument[]) => Promise<unknown>

/** @param onError  told of every connection error; ioredis reconnects by itself */
export function createRedisClient(url: string, onError: (error: Error) => void): RedisClient {
  const client = connect(url, failFast)
  client.on('error', onError)
  // Before all else on a new connection: see scripts/include/identity.lua. A Cluster goes by INFO alone.
  client.on('ready', () => {
    const word = randomBytes(generationBytes).toString('hex')
    const renewed = client instanceof Cluster ? client.del(generationKey) : client.set(generationKey, word)
    renewed.catch(onError)
  })
  const runners = new Map<ScriptName, Runner>()
  for (const [name, lua] of Object.entries(loadScripts())) {
    client.defineCommand(name, { lua })
    runners.set(name as ScriptName, (Reflect.get(client, name) as Runner).bind(client))
  }

  // A cluster's own queue knows no time-out; a single connection's commands have theirs.
  const limitMs = client instanceof Cluster ? commandTimeoutMs : undefined

  /** @param statusAtCall  the connection's status before the command was given to ioredis */
  async function answered<T>(statusAtCall: string, reply: Promise<T>): Promise<T> {
    try {
      return await (limitMs === undefined ? reply : within(limitMs, reply))
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error
      const outcome = outcomeOf(error, statusAtCall, client instanceof Cluster)
      // ioredis' own message for this names an option of its constructor.
      const cause = client.status === 'ready' ? error : new Error('no connection', { cause: error })
      throw new StoreUnavailable(cause, outcome)
    }
  }

  return {
    isCluster: client instanceof Cluster,
    command: (name, ...args) => answered(client.status, client.call(name, ...args)),
    script(name, keys, args) {
      const run = runners.get(name)
      if (run === undefined) throw new Error(`no script ${name}`)
      return answered(client.status, run(keys.length, ...keys, ...args))
    },
    ready(withinMs) {
      if (client.status === 'ready') return Promise.resolve()
      return new Promise((resolve, reject) => {
        const onReady = () => {
          clearTimeout(timer)
          resolve()
        }
        const timer = setTimeout(() => {
          client.off('ready', onReady)
          reject(new StoreUnavailable(new Error('no connection'), 'unsent'))
        }, withinMs)
        client.once('ready', onReady)
      })
    },
    disconnect: () => client.disconnect()
  }
}

/**
 * A connection of its own for subscriptions: one that falls under Redis' output limits must not take commands along.
 * @param onMessage  called for each message, and with nothing after each reconnection: messages may have been missed
 */
export function subscribe(
  url: string,
  channel: string,
  onMessage: (message?: string) => void,
  onError: (error: Error) => void
): { close(): void } {
  const client = connect(url, waitForEver)
  client.on('error', onError)
  client.on('message', (_channel: string, message: string) => onMessage(message))
  client.on('ready', () => onMessage())
  client.subscribe(channel).catch(onError)
  return { close: () => client.disconnect() }
}
