import type { ChannelCounts, ChannelListener } from '../../channels.js'
import { parsePublication } from '../channel-messages.js'
import type { Redis } from '../ioredis.js'
import { keySlot } from '../key-slot.js'
import { defaultSilenceMs } from './liveness-probe.js'
import { NotificationQueue } from './notification-queue.js'
import type { PublicationForms } from './publication-forms.js'
import { ReceivingConnection, type ReceivingConnectionOptions } from './receiving-connection.js'
import { type Shard, ShardConnections, type Shards } from './shard-connections.js'
import { plainForm, shardedForm, shardedFormOfOne } from './subscription-form.js'

/** Checks of the liveness probe per interval of silence. */
const checksPerSilence = 5

export interface PublicationReceiverOptions {
  /**
   * Opens a connection that does not reconnect by itself.
   * @param node  see `Shards`; undefined: any node
   */
  readonly open: (attempt: number, node?: string) => Redis
  readonly forms: PublicationForms
  readonly shards: Shards
  /** The Redis channel of a channel: a prefix, then the channel in braces. */
  readonly nameOf: (channel: string) => string
  /** Prefix of the names of channels for probes. */
  readonly probePrefix: string
  /** Publishes to such a channel. */
  readonly probe: (channel: string) => Promise<void>
  /** See `LivenessProbe`; in milliseconds. */
  readonly silenceMs?: number
  /** See `NotificationQueue`. */
  readonly maxWaiting?: number
  readonly onError: (error: Error) => void
}

/** How one connection differs from the others. */
interface ConnectionOptions extends Pick<ReceivingConnectionOptions, 'form' | 'hasMissed' | 'onMoved'> {
  readonly probeChannel: string
  /** See `Shards`; undefined: any node. */
  readonly node?: string
}

interface Notification {
  readonly name: string
  readonly message: string
}

/** Receives publications: connections, and a queue in front of the listener. */
export class PublicationReceiver {
  readonly counts: ChannelCounts = { dropped: 0, restarts: 0 }
  /** Resolves when the first subscriptions succeeded or failed; attempts then continue. */
  readonly started: Promise<void>
  readonly #options: PublicationReceiverOptions
  readonly #nameStart: number
  readonly #queue: NotificationQueue<Notification>
  readonly #sharded: ShardConnections | undefined
  #plain: ReceivingConnection | undefined
  readonly #listening = new Set<string>()
  readonly #checkTimer: NodeJS.Timeout
  #checks = 0
  #listener: ChannelListener | undefined

  constructor(options: PublicationReceiverOptions) {
    const { forms, shards, nameOf, silenceMs = defaultSilenceMs, onError } = options
    this.#options = options
    this.#nameStart = nameOf('').indexOf('{') + 1
    const onGap = () => this.#onGap()
    this.#queue = new NotificationQueue(notification => this.#handle(notification), onGap, options)
    if (forms.isSharded) {
      const open = (node: string, onMoved: () => void) => this.#openShard(node, onMoved)
      this.#sharded = new ShardConnections({ shards, open, onGap, onError })
    }
    if (forms.isPlain) this.#plain = this.#openPlain(false)
    this.started = Promise.all(this.#connections.map(({ started }) => started)).then(() => {})
    this.#checkTimer = setInterval(() => this.#check(), silenceMs / checksPerSilence)
    this.#checkTimer.unref()
  }

  get isReceiving(): boolean {
    const connections = this.#connections
    return connections.length > 0 && connections.every(({ isReceiving }) => isReceiving)
  }

  /** Lag of the slowest connection, see `LagProbe`. */
  get lagMs(): number {
    return Math.max(...this.#connections.map(({ lagMs }) => lagMs), 0)
  }

  async listen(channels: readonly string[]): Promise<void> {
    for (const channel of channels) this.#listening.add(channel)
    const names = channels.map(this.#options.nameOf)
    await Promise.all([this.#sharded?.subscribe(names), this.#plain?.subscribe(names)])
  }

  unlisten(channels: readonly string[]): void {
    for (const channel of channels) this.#listening.delete(channel)
    const names = channels.map(this.#options.nameOf)
    this.#sharded?.unsubscribe(names)
    this.#plain?.unsubscribe(names)
  }

  onPublication(listener: ChannelListener): void {
    this.#listener = listener
  }

  /**
   * Opens or closes the plain connection, after `forms` has changed. @throws StoreUnavailable; attempts then continue
   */
  async followForms(): Promise<void> {
    const { forms, nameOf } = this.#options
    if (!forms.isPlain) {
      this.#plain?.close()
      this.#plain = undefined
    } else if (this.#plain === undefined) {
      this.#plain = this.#openPlain(true)
      await this.#plain.subscribe([...this.#listening].map(nameOf))
    }
  }

  close(): void {
    clearInterval(this.#checkTimer)
    for (const connection of this.#connections) connection.close()
    this.#sharded?.close()
    this.#queue.clear()
  }

  get #connections(): readonly ReceivingConnection[] {
    return [...(this.#sharded?.connections ?? []), ...(this.#plain === undefined ? [] : [this.#plain])]
  }

  #onGap(): void {
    this.#listener?.mayHaveMissed()
  }

  #openPlain(hasMissed: boolean): ReceivingConnection {
    const { probePrefix: probeChannel } = this.#options
    return this.#openConnection({ form: plainForm, probeChannel, hasMissed, onMoved() {} })
  }

  #openShard(node: string, onMoved: () => void): Shard {
    const { probePrefix, nameOf, shards } = this.#options
    const owners = shards.owners()
    const slotOf = (channel: string) => keySlot(nameOf(channel))
    let probeChannel = `${probePrefix}-0`
    for (let i = 1; owners[slotOf(probeChannel)] !== node; i++) probeChannel = `${probePrefix}-${i}`
    const form = shards.isCluster ? shardedForm : shardedFormOfOne
    const connection = this.#openConnection({ form, probeChannel, node, onMoved })
    return { connection, probeSlot: slotOf(probeChannel) }
  }

  #openConnection({ node, probeChannel, ...own }: ConnectionOptions): ReceivingConnection {
    const { open, nameOf, probe, silenceMs = defaultSilenceMs, onError } = this.#options
    return new ReceivingConnection({
      ...{ ...own, silenceMs, onError },
      open: attempt => open(attempt, node),
      probeName: nameOf(probeChannel),
      probe: () => probe(probeChannel),
      onMessage: (name, message) => this.#receive(name, message),
      onGap: () => this.#onGap(),
      onRestart: () => this.counts.restarts++
    })
  }

  #check(): void {
    for (const connection of this.#connections) connection.check()
    const following = this.#checks++ % checksPerSilence === 0 ? this.#sharded?.refresh() : this.#sharded?.follow()
    following?.catch(this.#options.onError)
  }

  #receive(name: string, message: string): void {
    this.#queue.enqueue({ name, message }, message.length)
    this.counts.dropped = this.#queue.dropped
  }

  #handle({ name, message }: Notification): void {
    const channel = name.slice(this.#nameStart, -1)
    if (!this.#listening.has(channel)) return
    const { epoch, publication } = parsePublication(message)
    this.#listener?.publication(channel, epoch, publication)
  }
}
