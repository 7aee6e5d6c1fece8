import { StoreUnavailable } from '../../errors.js'
import { keySlot } from '../key-slot.js'
import type { ReceivingConnection } from './receiving-connection.js'

/** Minimum interval between two reads of the slot table after a node refused a name, in milliseconds. */
const refreshPauseMs = 1000

/** The nodes of all slots. */
export interface Shards {
  /** False: one server has all slots. */
  readonly isCluster: boolean
  /** By slot the primary, on a Cluster as `host:port`; undefined if unknown. */
  owners(): readonly (string | undefined)[]
  /** Reads the slot table from the Cluster. */
  refresh(): Promise<void>
}

/** A connection to a node. */
export interface Shard {
  readonly connection: ReceivingConnection
  /** The slot of its probes. */
  readonly probeSlot: number
}

export interface ShardConnectionsOptions {
  readonly shards: Shards
  /** @param onMoved  see `Subscriber` */
  readonly open: (node: string, onMoved: () => void) => Shard
  /** Messages may have been lost: names have moved to another node. */
  readonly onGap: () => void
  readonly onError: (error: Error) => void
}

/** One receiving connection to each primary of a Cluster. A name is subscribed at the primary that serves its slot. */
export class ShardConnections {
  readonly #options: ShardConnectionsOptions
  /** By node. */
  readonly #open = new Map<string, Shard>()
  /** The slots of the requested names. */
  readonly #slots = new Map<string, number>()
  readonly #refused = new Set<ReceivingConnection>()
  #owners: readonly (string | undefined)[]
  #refreshTimer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: ShardConnectionsOptions) {
    this.#options = options
    this.#owners = options.shards.owners()
    this.#openMissing()
  }

  get connections(): readonly ReceivingConnection[] {
    return [...this.#open.values()].map(({ connection }) => connection)
  }

  /** @throws StoreUnavailable; the names stay requested */
  async subscribe(names: readonly string[]): Promise<void> {
    for (const name of names) this.#slots.set(name, keySlot(name))
    const groups = this.#byConnection(names)
    const placed = [...groups.values()].reduce((sum, group) => sum + group.length, 0)
    await Promise.all([...groups].map(([connection, group]) => connection.subscribe(group)))
    if (placed < names.length) throw new StoreUnavailable(new Error('no node serves the slot of a channel'), 'unsent')
  }

  unsubscribe(names: readonly string[]): void {
    for (const [connection, group] of this.#byConnection(names)) connection.unsubscribe(group)
    for (const name of names) this.#slots.delete(name)
  }

  /** Reads the slot table, and follows it. @throws StoreUnavailable */
  async refresh(): Promise<void> {
    clearTimeout(this.#refreshTimer)
    this.#refreshTimer = undefined
    await this.#options.shards.refresh()
    await this.follow()
  }

  /** Moves subscriptions to the primaries now known. @throws StoreUnavailable; the names stay requested */
  async follow(): Promise<void> {
    const owners = this.#options.shards.owners()
    const before = this.#owners
    if (this.#isClosed || (this.#refused.size === 0 && owners.every((owner, slot) => owner === before[slot]))) return
    const moved = this.#unsubscribeMoved(owners)
    this.#owners = owners
    this.#openMissing()
    const refused = this.connections.filter(connection => this.#refused.has(connection))
    this.#refused.clear()
    const subscribing = [...this.#byConnection(moved)].map(([connection, names]) => connection.subscribe(names))
    await Promise.all([...subscribing, ...refused.map(connection => connection.renew())])
    if (moved.length > 0 || refused.length > 0) this.#options.onGap()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#refreshTimer)
    for (const connection of this.connections) connection.close()
  }

  #byConnection(names: Iterable<string>): Map<ReceivingConnection, string[]> {
    const groups = new Map<ReceivingConnection, string[]>()
    for (const name of names) {
      const shard = this.#shardOf(name)
      if (shard === undefined) continue
      const group = groups.get(shard.connection)
      if (group === undefined) groups.set(shard.connection, [name])
      else group.push(name)
    }
    return groups
  }

  #shardOf(name: string): Shard | undefined {
    const node = this.#owners[this.#slots.get(name) ?? keySlot(name)]
    return node === undefined ? undefined : this.#open.get(node)
  }

  /** @returns names whose subscription ends, because another node serves them or their connection is closed */
  #unsubscribeMoved(owners: readonly (string | undefined)[]): readonly string[] {
    const before = this.#owners
    const closed = new Set<string | undefined>()
    for (const [node, { connection, probeSlot }] of this.#open) {
      // A node without its probe's slot gets another connection, if it serves any.
      if (owners[probeSlot] === node) continue
      connection.close()
      closed.add(node)
      this.#open.delete(node)
    }
    const moved = [...this.#slots].flatMap(([name, slot]) =>
      owners[slot] === before[slot] && !closed.has(before[slot]) ? [] : name
    )
    for (const [connection, names] of this.#byConnection(moved)) connection.unsubscribe(names)
    return moved
  }

  #openMissing(): void {
    for (const node of this.#owners) {
      if (node === undefined || this.#open.has(node)) continue
      const shard: Shard = this.#options.open(node, () => this.#onMoved(shard.connection))
      this.#open.set(node, shard)
    }
  }

  #onMoved(connection: ReceivingConnection): void {
    this.#refused.add(connection)
    if (this.#refreshTimer !== undefined || this.#isClosed) return
    this.#refreshTimer = setTimeout(() => this.refresh().catch(this.#options.onError), refreshPauseMs)
  }
}
