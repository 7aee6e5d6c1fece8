import type { ChannelState, Position, StoredPublication } from '../store/channels.js'
import { HistoryBuffer, type HistoryBufferOptions } from '../store/history-buffer.js'
import type { Subscriber } from './types.js'

/** Publications of one channel that wait until a gap before them is repaired. Further ones are read again later. */
export const maxOutOfOrder = 256

interface Watcher {
  readonly position: Position
  readonly listener: () => void
}

interface OutOfOrder {
  /** Its number in {@link ChannelStream.outOfOrderCount}. */
  readonly nth: number
  readonly epoch: string
  readonly publication: StoredPublication
}

/** Counts the outcomes of publications. */
export interface StreamObserver {
  /** A publication was delivered to this number of subscribers. */
  delivered(subscribers: number): void
  /** This number of subscribers lost publications for good. */
  lost(subscribers: number): void
}

/**
 * One channel on one instance: its position, up to which it is complete, and its subscribers. A live subscriber is
 * always at the top; a pending one has joined, waits for its release, and its position is kept here. The stream never
 * reads the store; the broker and the manager do that for it.
 */
export class ChannelStream {
  readonly channel: string
  readonly #historyOptions: HistoryBufferOptions
  /** Created for the first publication: most channels of a flood never have one. */
  #history: HistoryBuffer | undefined
  readonly #observer: StreamObserver
  readonly #live = new Set<Subscriber>()
  #pending: Map<Subscriber, number> | undefined
  #watchers: Set<Watcher> | undefined
  #outOfOrder: OutOfOrder[] = []
  #outOfOrderCount = 0
  /** {@link outOfOrderCount} when a publication was dropped for lack of space; 0 if none was. */
  #overflowedAt = 0
  #epoch = ''
  #offset = 0
  /** Whether the store delivers its publications to this instance. */
  isListening = false
  /** Running operations that need the stream. */
  refCount = 0
  /** When it was last used, in Unix milliseconds. */
  usedAt: number
  /** When its top was last known to equal the store's, in Unix milliseconds. */
  verifiedAt = 0
  /** The running read that repairs it, if any. */
  repairing: Promise<void> | undefined

  constructor(channel: string, history: HistoryBufferOptions, observer: StreamObserver, usedAt: number) {
    this.channel = channel
    this.#historyOptions = history
    this.#observer = observer
    this.usedAt = usedAt
  }

  /** Whether its position is known. */
  get isOpen(): boolean {
    return this.#epoch !== ''
  }

  get top(): Position {
    return { offset: this.#offset, epoch: this.#epoch }
  }

  /** Whether it received a publication that does not follow its top: there is a gap before it, or its epoch differs. */
  get hasGap(): boolean {
    return this.isOpen && (this.#outOfOrder.length > 0 || this.#overflowedAt > 0)
  }

  get isNeeded(): boolean {
    return this.refCount > 0 || this.#live.size > 0 || (this.#pending?.size ?? 0) > 0 || (this.#watchers?.size ?? 0) > 0
  }

  /** Whether its top is at or after a position of the store. */
  hasReached({ offset, epoch }: Position): boolean {
    return this.#epoch === epoch && this.#offset >= offset
  }

  isAt(offset: number, epoch: string): boolean {
    return this.#offset === offset && this.#epoch === epoch && this.isOpen
  }

  // ── Publications ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Delivers the publication if it is the next one, ignores an old one, and buffers any other. */
  receive(epoch: string, publication: StoredPublication): void {
    if (epoch === this.#epoch) {
      if (publication.offset <= this.#offset) return
      if (publication.offset === this.#offset + 1) {
        this.#advance(publication)
        if (this.#outOfOrder.length > 0) this.#drainOutOfOrder()
        return
      }
    }
    const nth = ++this.#outOfOrderCount
    if (this.#outOfOrder.length < maxOutOfOrder) this.#outOfOrder.push({ nth, epoch, publication })
    else this.#overflowedAt = nth
  }

  /** Number of publications that came out of order. Pass its value before a read of the store to {@link apply}. */
  get outOfOrderCount(): number {
    return this.#outOfOrderCount
  }

  /**
   * Applies a state of the store. If it leaves a gap, the subscribers before the gap are lost.
   * @param countBefore  {@link outOfOrderCount} before the read. The state includes every publication that had come out
   *                     of order by then, even if it is of a past epoch.
   */
  apply({ top, publications = [] }: ChannelState, countBefore: number): void {
    if (!this.isOpen) this.#jumpTo(top)
    if (top.epoch === this.#epoch) {
      for (const publication of publications) if (publication.offset === this.#offset + 1) this.#advance(publication)
    }
    if (!this.hasReached(top)) this.#jumpTo(top)
    this.#drainOutOfOrder()
    this.#outOfOrder = this.#outOfOrder.filter(({ nth }) => nth > countBefore)
    if (this.#overflowedAt <= countBefore) this.#overflowedAt = 0
  }

  #advance(publication: StoredPublication): void {
    this.#offset = publication.offset
    this.#history ??= new HistoryBuffer(this.#historyOptions)
    this.#history.push(publication)
    for (const subscriber of this.#live) subscriber.publication(this.channel, this.#epoch, publication)
    this.#observer.delivered(this.#live.size)
    this.#notifyWatchers()
  }

  #drainOutOfOrder(): void {
    const waiting = this.#outOfOrder.sort((a, b) => a.publication.offset - b.publication.offset)
    this.#outOfOrder = []
    for (const each of waiting) {
      const { epoch, publication } = each
      const { offset } = publication
      if (epoch !== this.#epoch || offset > this.#offset + 1) this.#outOfOrder.push(each)
      else if (offset === this.#offset + 1) this.#advance(publication)
    }
  }

  /** Continues at another position; the publications in between are lost. */
  #jumpTo({ offset, epoch }: Position): void {
    this.#epoch = epoch
    this.#offset = offset
    this.#history?.clear()
    const subscribers = [...this.#live, ...(this.#pending?.keys() ?? [])]
    this.#live.clear()
    this.#pending?.clear()
    if (subscribers.length > 0) this.#observer.lost(subscribers.length)
    for (const subscriber of subscribers) subscriber.lost(this.channel)
    this.#notifyWatchers()
  }

  // ── Subscribers ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The publications after a position of the same epoch; undefined if memory does not reach back to it. */
  publicationsAfter({ offset }: Position): readonly StoredPublication[] | undefined {
    return this.#newest(this.#offset - offset)
  }

  /**
   * Adds a pending subscriber at a position that the stream has reached. Nothing is delivered before its release.
   * @returns false if the position is of another epoch; the subscriber is then not added
   */
  addPending(subscriber: Subscriber, { offset, epoch }: Position): boolean {
    if (epoch !== this.#epoch) return false
    this.#live.delete(subscriber)
    this.#pending ??= new Map()
    this.#pending.set(subscriber, offset)
    return true
  }

  /** Delivers the missed publications to a pending subscriber, and makes it live. */
  release(subscriber: Subscriber): void {
    const offset = this.#pending?.get(subscriber)
    if (offset === undefined) return
    this.#pending?.delete(subscriber)
    const missed = this.#newest(this.#offset - offset)
    if (missed === undefined) {
      this.#observer.lost(1)
      subscriber.lost(this.channel)
      return
    }
    this.#live.add(subscriber)
    for (const publication of missed) {
      // A delivery may make the subscriber leave.
      if (this.#live.has(subscriber)) subscriber.publication(this.channel, this.#epoch, publication)
    }
  }

  /** @returns false if it was not a subscriber */
  leave(subscriber: Subscriber): boolean {
    const wasPending = this.#pending?.delete(subscriber) ?? false
    return this.#live.delete(subscriber) || wasPending
  }

  watch(watcher: Watcher): () => void {
    this.#watchers ??= new Set()
    const watchers = this.#watchers.add(watcher)
    // Deferred, so that the caller already has the returned function.
    if (this.#isPast(watcher.position)) queueMicrotask(() => watchers.has(watcher) && watcher.listener())
    return () => watchers.delete(watcher)
  }

  /** Whether publications follow a position, or the position is of another epoch. */
  #isPast({ offset, epoch }: Position): boolean {
    return this.isOpen && (epoch !== this.#epoch || offset < this.#offset)
  }

  #notifyWatchers(): void {
    if (this.#watchers === undefined) return
    for (const watcher of this.#watchers) if (this.#isPast(watcher.position)) watcher.listener()
  }

  #newest(count: number): readonly StoredPublication[] | undefined {
    return count === 0 ? [] : this.#history?.newest(count)
  }

  /** Frees its memory in the shared budget. */
  close(): void {
    this.#history?.clear()
  }
}
