import { ProtocolError } from '../protocol/protocol-error.js'
import type {
  ChannelPage,
  ChannelState,
  ChannelStore,
  PageRequest,
  Position,
  Published,
  StoredPublication
} from '../store/channels.js'
import { StoreUnavailable } from '../store/errors.js'
import type { MaybePromise } from '../store/maybe-promise.js'
import { type ChannelBounds, defaultChannelBounds } from './bounds.js'
import { ChannelManager, type ChannelManagerOptions } from './channel-manager.js'
import type { ChannelStream } from './channel-stream.js'
import type { ClientQuotas } from './client-quotas.js'
import { QuotaGate } from './quota-gate.js'
import { Semaphore } from './semaphore.js'
import { maxRepairTries } from './stream-repairer.js'
import type {
  ChannelBroker,
  Joined,
  JoinPoint,
  LastPublications,
  PublishRequest,
  ReadOptions,
  Subscriber
} from './types.js'

export interface ChannelBrokerOptions extends Omit<ChannelManagerOptions, 'bounds'> {
  readonly bounds?: Partial<ChannelBounds>
  /** Absent: nothing is counted. */
  readonly quotas?: ClientQuotas
}

function isWithin(publications: readonly StoredPublication[], maxBytes: number): boolean {
  return publications.reduce((sum, { data }) => sum + Buffer.byteLength(data), 0) <= maxBytes
}

class LocalChannelBroker implements ChannelBroker {
  readonly #options: ChannelBrokerOptions
  readonly #store: ChannelStore
  readonly #bounds: ChannelBounds
  readonly #manager: ChannelManager
  readonly #gate: QuotaGate
  readonly #pageReads: Semaphore

  constructor(options: ChannelBrokerOptions) {
    this.#options = options
    this.#store = options.store
    this.#bounds = { ...defaultChannelBounds, ...options.bounds }
    this.#pageReads = new Semaphore(this.#bounds.pageReads)
    this.#manager = new ChannelManager({ ...options, bounds: this.#bounds })
    this.#gate = new QuotaGate(options.quotas, options.store, channel => this.#manager.get(channel)?.isOpen === true)
  }

  publish(channel: string, data: string, request: PublishRequest): MaybePromise<Published | 'conflict'> {
    const { idempotencyKey, owners, sessionId } = request
    return this.#gate.publish(channel, data, { publishedAt: this.#options.now(), idempotencyKey, owners, sessionId })
  }

  async join(subscriber: Subscriber, channel: string, from?: JoinPoint, owners?: string): Promise<Joined> {
    if (owners !== undefined) await this.#gate.requireChannel(owners, channel)
    const stream = this.#manager.tryOpen(channel)
    if (stream === undefined) {
      throw new ProtocolError('UNAVAILABLE', `this instance has ${this.#bounds.streams} channels in use, its limit`)
    }
    return this.#use(stream, async () => {
      await this.#manager.refresh(stream, this.#gate.onCreated(owners))
      if (from === undefined) return this.#joinAtTop(subscriber, stream)
      if ('last' in from) return await this.#joinWithLast(subscriber, stream, from)
      const { top, publications } = await this.#readFrom(stream, from, this.#bounds.recover)
      const isRecoverable = publications !== undefined && isWithin(publications, this.#bounds.recoverBytes)
      // Publications after `top` are delivered at the release.
      if (isRecoverable && stream.addPending(subscriber, top)) return { position: top, recovered: true, publications }
      return this.#joinAtTop(subscriber, stream)
    })
  }

  release(subscriber: Subscriber, channel: string): void {
    this.#manager.get(channel)?.release(subscriber)
  }

  leave(subscriber: Subscriber, channel: string): boolean {
    const stream = this.#manager.get(channel)
    if (stream === undefined || !stream.leave(subscriber)) return false
    stream.usedAt = this.#options.now()
    return true
  }

  async readAfter(
    channel: string,
    position: Position | undefined,
    limit: number,
    options?: ReadOptions
  ): Promise<ChannelState> {
    const owners = options?.owners
    if (owners !== undefined) await this.#gate.requireChannel(owners, channel)
    const stream = this.#manager.tryOpen(channel)
    if (stream === undefined) return this.#gate.read(channel, position, limit, owners)
    return this.#use(stream, async () => {
      const isBehind = position !== undefined && !stream.hasReached(position)
      const isUncertain = !stream.isOpen || isBehind || stream.hasGap || !this.#store.isReceiving
      if (options?.fresh === true || isUncertain) await this.#manager.refresh(stream, this.#gate.onCreated(owners))
      return position === undefined ? { top: stream.top } : await this.#readFrom(stream, position, limit)
    })
  }

  readPage(channel: string, request: PageRequest, owners?: string): Promise<ChannelPage> {
    return this.#pageReads.run(() => this.#gate.readPage(channel, request, owners))
  }

  isTop(channel: string, { offset, epoch }: Position): boolean {
    const stream = this.#manager.get(channel)
    if (stream === undefined || !this.#store.isReceiving || stream.hasGap || !stream.isAt(offset, epoch)) return false
    stream.usedAt = this.#options.now()
    return true
  }

  watch(channel: string, position: Position, listener: () => void): () => void {
    const stream = this.#manager.tryOpen(channel)
    if (stream === undefined) return () => {}
    const unwatch = stream.watch({ position, listener })
    if (!stream.hasReached(position)) {
      this.#manager.refresh(stream).catch((error: unknown) => {
        this.#manager.retryLater(stream)
        this.#options.log.debug({ err: error, channel }, 'could not open the stream of a channel')
      })
    }
    return () => {
      unwatch()
      stream.usedAt = this.#options.now()
    }
  }

  tops(channels: readonly string[]): Promise<readonly Position[]> {
    return this.#store.tops(channels)
  }

  tick(): Promise<void> {
    return this.#manager.tick()
  }

  #joinAtTop(subscriber: Subscriber, stream: ChannelStream): Joined {
    stream.addPending(subscriber, stream.top)
    return { position: stream.top, recovered: false, publications: [] }
  }

  /**
   * Joins behind the newest publications. These include publications that arrived during the read: a live subscriber
   * has already received them.
   */
  async #joinWithLast(
    subscriber: Subscriber,
    stream: ChannelStream,
    { last, maxBytes }: LastPublications
  ): Promise<Joined> {
    for (let i = 0; i < maxRepairTries; i++) {
      const { top, publications } = await this.readPage(stream.channel, { limit: last, maxBytes })
      if (!stream.hasReached(top)) await this.#manager.refresh(stream)
      const later = stream.hasReached(top) ? stream.publicationsAfter(top) : undefined
      if (later === undefined || !stream.addPending(subscriber, stream.top)) continue
      return { position: stream.top, recovered: false, publications: [...publications, ...later].slice(-last) }
    }
    throw new StoreUnavailable(new Error(`the newest publications were not read in ${maxRepairTries} reads`), 'unsent')
  }

  /** Keeps the stream open during an operation. */
  async #use<T>(stream: ChannelStream, operation: () => Promise<T>): Promise<T> {
    stream.refCount++
    try {
      return await operation()
    } finally {
      stream.refCount--
      stream.usedAt = this.#options.now()
    }
  }

  /** The publications after a position up to the stream's top, from memory or from the store. */
  async #readFrom(stream: ChannelStream, position: Position, limit: number): Promise<ChannelState> {
    for (let i = 0; i < maxRepairTries; i++) {
      const { top } = stream
      const missed = top.offset - position.offset
      if (position.epoch !== top.epoch || missed < 0 || missed > limit) return { top }
      const kept = stream.publicationsAfter(position)
      if (kept !== undefined) return { top, publications: kept }
      const countBefore = stream.outOfOrderCount
      const state = await this.#store.read(stream.channel, position, limit)
      if (state.publications === undefined) {
        // The stream itself may be missing less than this reader, so the state must not be applied to it.
        if (!stream.hasReached(state.top)) await this.#manager.refresh(stream)
        return { top: stream.top }
      }
      stream.apply(state, countBefore)
      // Publications that arrived during the read follow it.
      const later = stream.top.epoch === state.top.epoch ? stream.publicationsAfter(state.top) : undefined
      if (later !== undefined && state.publications.length + later.length <= limit) {
        return { top: stream.top, publications: [...state.publications, ...later] }
      }
    }
    return { top: stream.top }
  }
}

/** See {@link ChannelBroker}. It has no timers: the caller must call `tick`. */
export function createChannelBroker(options: ChannelBrokerOptions): ChannelBroker {
  return new LocalChannelBroker(options)
}
