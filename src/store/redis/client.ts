import { randomBytes } from 'node:crypto'
import { StoreDurations } from '../durations.js'
import { StoreUnavailable } from '../errors.js'
import { channelConstants } from './channel-constants.js'
import type { RedisConnection } from './connection-url.js'
import { commandTimeoutMs, connectForCommands } from './connections.js'
import { withoutCommand } from './errors.js'
import { explained, isAboutValue } from './faults.js'
import { Cluster, type Redis } from './ioredis.js'
import { slotCount } from './key-slot.js'
import { generationKey } from './keys.js'
import { isNeverWritten, isOutOfMemory, outcomeOf } from './outcome.js'
import { UnexpectedReply } from './replies.js'
import { loadScripts, type ScriptConstants, type ScriptName } from './scripts.js'
import { UnreadableKeys } from './unreadable-keys.js'
import { within } from './within.js'

const generationBytes = 8
/** Redis counts as full for this time after it refused a command for lack of memory, in milliseconds. */
const fullForMs = 10_000

export type Argument = string | number
type ScriptRunner = (keyCount: number, ...args: Argument[]) => Promise<unknown>

/** The connection for commands and scripts. It reconnects by itself. */
export class RedisClient {
  /** By the names of commands and scripts. */
  readonly durations = new StoreDurations()
  readonly #client: Redis | Cluster
  readonly #runners = new Map<ScriptName, ScriptRunner>()
  /** A Cluster's own queue has no timeout; commands of a single connection have one each. */
  readonly #limitMs: number | undefined
  readonly #setFromReserve: string
  #refusedForMemoryAt = Number.NEGATIVE_INFINITY
  readonly #unreadable: UnreadableKeys
  /** While set, every command but {@link unguarded} ones is rejected with it. */
  refusal: StoreUnavailable | undefined

  /**
   * @param connection  connection to Redis, or only its URL
   * @param onError     called with each connection error
   * @param onUnreadable  called once for each key with a value that no gateway wrote
   * @param constants   of the scripts
   */
  constructor(
    connection: RedisConnection | string,
    onError: (error: Error) => void,
    onUnreadable: (key: string) => void = () => {},
    constants: ScriptConstants = channelConstants()
  ) {
    this.#unreadable = new UnreadableKeys(onUnreadable)
    const client = connectForCommands(typeof connection === 'string' ? { url: connection } : connection)
    this.#client = client
    this.#limitMs = client instanceof Cluster ? commandTimeoutMs : undefined
    client.on('error', onError)
    client.on('ready', () =>
      this.#renewGeneration().catch(error => onError(isNeverWritten(error) ? new Error('no connection') : error))
    )
    const scripts = loadScripts(constants)
    this.#setFromReserve = scripts.get('setFromReserve') ?? ''
    for (const [name, lua] of scripts) {
      client.defineCommand(name, { lua })
      this.#runners.set(name, (Reflect.get(client, name) as ScriptRunner).bind(client))
    }
  }

  /** Whether keys are spread over several servers, so that a script's keys must share a slot. */
  get isCluster(): boolean {
    return this.#client instanceof Cluster
  }

  /** Whether Redis recently refused a command because it has reached `maxmemory`. */
  get isFull(): boolean {
    return performance.now() - this.#refusedForMemoryAt < fullForMs
  }

  /** A section of INFO, of each server that accepts writes. @throws StoreUnavailable */
  infos(section: string): Promise<readonly string[]> {
    const client = this.#client
    const nodes = client instanceof Cluster ? client.nodes('master') : [client]
    return this.#settle('INFO', client.status, Promise.all(nodes.map(node => node.info(section))))
  }

  /** Runs one command. @throws StoreUnavailable for every error */
  command(name: string, ...args: readonly Argument[]): Promise<unknown> {
    return this.refusal === undefined ? this.unguarded(name, ...args) : Promise.reject(this.refusal)
  }

  /** Runs one command, regardless of the store's identity. @throws StoreUnavailable */
  unguarded(name: string, ...args: readonly Argument[]): Promise<unknown> {
    return this.#settle(name, this.#client.status, this.#client.call(name, ...args), args.slice(0, 1))
  }

  /** Runs one script. Its text is sent once per connection, then only its hash (EVALSHA). @throws StoreUnavailable */
  script(name: ScriptName, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    if (this.refusal !== undefined) return Promise.reject(this.refusal)
    return this.unguardedScript(name, keys, args)
  }

  /** Runs one script, regardless of the store's identity. @throws StoreUnavailable */
  unguardedScript(name: ScriptName, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    const run = this.#runners.get(name)
    if (run === undefined) throw new Error(`there is no script ${name}`)
    return this.#settle(name, this.#client.status, run(keys.length, ...keys, ...args), keys)
  }

  /** Converts an error within the reply of a script about these of its keys, to be thrown. */
  refused(name: ScriptName, error: Error, keys: readonly string[]): StoreUnavailable {
    return this.#unavailable(name, error, keys, 'ready')
  }

  /**
   * Reads a reply.
   * @param key  the key of the value
   * @param read  throws UnexpectedReply or SyntaxError
   * @throws StoreUnavailable if no gateway wrote the value at the key
   */
  parse<T>(key: string, read: () => T): T {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof UnexpectedReply) && !(error instanceof SyntaxError)) throw error
      this.#unreadable.add(key)
      throw new StoreUnavailable(new Error(`the value of ${key} is not one that a gateway wrote`, { cause: error }))
    }
  }

  /** Like {@link parse}, but a value that no gateway wrote counts as missing. */
  parseOrSkip<T>(key: string, read: () => T): T | undefined {
    try {
      return this.parse(key, read)
    } catch (error) {
      if (error instanceof StoreUnavailable) return undefined
      throw error
    }
  }

  /** By slot the primary of a Cluster, as `host:port`, if known. Undefined without a Cluster. */
  slotOwners(): readonly (string | undefined)[] | undefined {
    const client = this.#client
    if (!(client instanceof Cluster)) return undefined
    return Array.from({ length: slotCount }, (_, slot) => client.slots[slot]?.[0])
  }

  /** Asks a Cluster for the nodes of all slots. @throws StoreUnavailable */
  refreshSlots(): Promise<void> {
    const client = this.#client
    if (!(client instanceof Cluster)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      client.refreshSlotsCache(error => {
        if (error) reject(new StoreUnavailable(error, 'unsent'))
        else resolve()
      })
    })
  }

  /** Calls `listener` after each connection, once {@link ready}. */
  onConnected(listener: () => void): void {
    this.#client.on('ready', listener)
  }

  /** Runs one read command on every node, regardless of the store's identity. @throws StoreUnavailable */
  everywhere(name: string, ...args: readonly Argument[]): Promise<readonly unknown[]> {
    const client = this.#client
    const nodes = client instanceof Cluster ? client.nodes('all') : [client]
    return this.#settle(name, client.status, Promise.all(nodes.map(node => node.call(name, ...args))))
  }

  /** Resolves when the first connection is ready. @throws StoreUnavailable if that takes more than `withinMs` */
  ready(withinMs: number): Promise<void> {
    const client = this.#client
    if (client.status === 'ready') return Promise.resolve()
    return new Promise((resolve, reject) => {
      const onReady = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        client.off('ready', onReady)
        reject(new StoreUnavailable(new Error(`no connection within ${withinMs} ms`), 'unsent'))
      }, withinMs)
      client.once('ready', onReady)
    })
  }

  disconnect(): void {
    this.#client.disconnect()
  }

  /** The first command on a new connection, see scripts/include/identity.lua. A Cluster relies on INFO alone. */
  async #renewGeneration(): Promise<void> {
    const client = this.#client
    if (client instanceof Cluster) await client.del(generationKey)
    else {
      // The text, not its hash: a server that does not know it yet would let other commands run before it.
      const value = randomBytes(generationBytes).toString('hex')
      await client.eval(this.#setFromReserve, 1, generationKey, value, 0)
    }
  }

  /** @param verb  the name of the command or script. @param statusAtCall  the connection's status before the command was given to ioredis */
  async #settle<T>(verb: string, statusAtCall: string, reply: Promise<T>, keys: readonly Argument[] = []): Promise<T> {
    const startedAt = performance.now()
    try {
      return await (this.#limitMs === undefined ? reply : within(this.#limitMs, reply))
    } catch (error) {
      throw error instanceof StoreUnavailable ? error : this.#unavailable(verb, error, keys, statusAtCall)
    } finally {
      this.durations.record(verb, performance.now() - startedAt)
    }
  }

  #unavailable(verb: string, error: unknown, keys: readonly Argument[], statusAtCall: string): StoreUnavailable {
    withoutCommand(error)
    if (isOutOfMemory(error)) this.#refusedForMemoryAt = performance.now()
    if (isAboutValue(error)) this.#unreadable.add(keys.join(' '))
    const outcome = outcomeOf(error, statusAtCall, this.isCluster)
    const isConnected = this.#client.status === 'ready' && !isNeverWritten(error)
    return new StoreUnavailable(
      isConnected ? explained(error, verb) : new Error('no connection', { cause: error }),
      outcome
    )
  }
}
