import type { ChannelState, Position, StoredPublication } from '../store/channels.js'
import type { HistoryBuffer } from './history-buffer.js'
import type { Subscriber } from './types.js'

/** Publications of one channel that came ahead of a hole and wait for it to be filled. Beyond, they are read again. */
export const maxAhead = 256

interface Watcher {
  readonly position: Position
  readonly listener: () => void
}

interface Ahead {
  /** Counts what waited, so that a read knows what was there before it. */
  readonly nth: number
  readonly epoch: string
  readonly publication: StoredPublication
}

/** What a feed tells of how it fares. */
export interface StreamObserver {
  /** A publication was handed to so many. */
  delivered(subscribers: number): void
  /** So many were told that they have missed something for good. */
  lost(subscribers: number): void
}

/**
 * One channel as one instance follows it: how far it has come, without a hole, and who is told. Whoever was released
 * stands at the top, always; whoever was not has its position here. It asks nobody: the engine reads for it.
 */
export class ChannelStream {
  readonly channel: string
  readonly #ring: HistoryBuffer
  readonly #observer: StreamObserver
  readonly #released = new Set<Subscriber>()
  #held: Map<Subscriber, number> | undefined
  #watchers: Set<Watcher> | undefined
  #ahead: Ahead[] = []
  #waited = 0
  /** What {@link waited} was when one could not be kept, 0 where all were. */
  #overflowedAt = 0
  #epoch = ''
  #offset = 0
  /** Whether publications of it are heard. */
  listening = false
  /** Who is about to need it: while there are any it is not let go. */
  pins = 0
  /** When it was last needed, unix milliseconds. */
  usedAt: number
  /** When its top was last known to be the store's, unix milliseconds. */
  checkedAt = 0
  /** The read that fills a hole, if one is under way. */
  repairing: Promise<void> | undefined

  constructor(channel: string, ring: HistoryBuffer, observer: StreamObserver, usedAt: number) {
    this.channel = channel
    this.#ring = ring
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

  /** Whether it has heard of what it cannot take: there is a hole before it, or it has another epoch. */
  get hasHole(): boolean {
    return this.isOpen && (this.#ahead.length > 0 || this.#overflowedAt > 0)
  }

  get isNeeded(): boolean {
    return this.pins > 0 || this.#released.size > 0 || (this.#held?.size ?? 0) > 0 || (this.#watchers?.size ?? 0) > 0
  }

  /** Whether it has come to a position that the store has, or past it. */
  hasReached({ offset, epoch }: Position): boolean {
    return this.#epoch === epoch && this.#offset >= offset
  }

  isAt(offset: number, epoch: string): boolean {
    return this.#offset === offset && this.#epoch === epoch && this.isOpen
  }

  // ── What comes in ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes word of a publication: the next one goes out, an old one is dropped, any other waits. */
  hear(epoch: string, publication: StoredPublication): void {
    if (epoch === this.#epoch) {
      if (publication.offset <= this.#offset) return
      if (publication.offset === this.#offset + 1) {
        this.#advance(publication)
        if (this.#ahead.length > 0) this.#takeAhead()
        return
      }
    }
    const nth = ++this.#waited
    if (this.#ahead.length < maxAhead) this.#ahead.push({ nth, epoch, publication })
    else this.#overflowedAt = nth
  }

  /** How many publications have had to wait, ever. Noted before the store is read, it tells {@link take} of when it was. */
  get waited(): number {
    return this.#waited
  }

  /**
   * Takes what the store says is there. Where it leaves a hole, those who wait for what is in it are told.
   * @param begun  {@link waited} when it was asked: whatever waited then is settled, be it of an epoch long gone
   */
  take({ top, publications = [] }: ChannelState, begun: number): void {
    if (!this.isOpen) this.#jumpTo(top)
    if (top.epoch === this.#epoch) {
      for (const publication of publications) if (publication.offset === this.#offset + 1) this.#advance(publication)
    }
    if (!this.hasReached(top)) this.#jumpTo(top)
    this.#takeAhead()
    this.#ahead = this.#ahead.filter(({ nth }) => nth > begun)
    if (this.#overflowedAt <= begun) this.#overflowedAt = 0
  }

  #advance(publication: StoredPublication): void {
    this.#offset = publication.offset
    this.#ring.push(publication)
    for (const subscriber of this.#released) subscriber.publication(this.channel, this.#epoch, publication)
    this.#observer.delivered(this.#released.size)
    this.#wake()
  }

  #takeAhead(): void {
    const ahead = this.#ahead.sort((a, b) => a.publication.offset - b.publication.offset)
    this.#ahead = []
    for (const each of ahead) {
      const { epoch, publication } = each
      const { offset } = publication
      if (epoch !== this.#epoch || offset > this.#offset + 1) this.#ahead.push(each)
      else if (offset === this.#offset + 1) this.#advance(publication)
    }
  }

  /** Goes on from another position: what lies between cannot be had. */
  #jumpTo({ offset, epoch }: Position): void {
    this.#epoch = epoch
    this.#offset = offset
    this.#ring.clear()
    const subscribers = [...this.#released, ...(this.#held?.keys() ?? [])]
    this.#released.clear()
    this.#held?.clear()
    if (subscribers.length > 0) this.#observer.lost(subscribers.length)
    for (const subscriber of subscribers) subscriber.lost(this.channel)
    this.#wake()
  }

  // ── Who is told ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What came after a position of the same epoch; nothing where the ring does not reach it. */
  since({ offset }: Position): readonly StoredPublication[] | undefined {
    return this.#ring.last(this.#offset - offset)
  }

  /**
   * Joins a subscriber at a position that the feed has reached. It is told of nothing before it is released.
   * @returns false where the position is of another epoch: then it has not joined
   */
  hold(subscriber: Subscriber, { offset, epoch }: Position): boolean {
    if (epoch !== this.#epoch) return false
    this.#released.delete(subscriber)
    this.#held ??= new Map()
    this.#held.set(subscriber, offset)
    return true
  }

  release(subscriber: Subscriber): void {
    const offset = this.#held?.get(subscriber)
    if (offset === undefined) return
    this.#held?.delete(subscriber)
    const missed = this.#ring.last(this.#offset - offset)
    if (missed === undefined) {
      this.#observer.lost(1)
      subscriber.lost(this.channel)
      return
    }
    this.#released.add(subscriber)
    for (const publication of missed) {
      // It may leave while it is told.
      if (this.#released.has(subscriber)) subscriber.publication(this.channel, this.#epoch, publication)
    }
  }

  leave(subscriber: Subscriber): boolean {
    const held = this.#held?.delete(subscriber) ?? false
    return this.#released.delete(subscriber) || held
  }

  watch(watcher: Watcher): () => void {
    this.#watchers ??= new Set()
    const watchers = this.#watchers.add(watcher)
    // Not before the caller has the undoing in hand.
    if (this.#isPast(watcher.position)) queueMicrotask(() => watchers.has(watcher) && watcher.listener())
    return () => watchers.delete(watcher)
  }

  /** Whether there is something after a position, or the position is of another epoch. */
  #isPast({ offset, epoch }: Position): boolean {
    return this.isOpen && (epoch !== this.#epoch || offset < this.#offset)
  }

  #wake(): void {
    if (this.#watchers === undefined) return
    for (const watcher of this.#watchers) if (this.#isPast(watcher.position)) watcher.listener()
  }

  /** Gives back what it holds. */
  drop(): void {
    this.#ring.clear()
  }
}
