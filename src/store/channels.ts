/**
 * Channels in the store (PROTOCOL §10): offsets, a bounded history, and word to every instance that listens.
 *
 * **The fence.** An offset never goes back under one epoch. A store that was rewound (an older snapshot, a failover that
 * lost writes) has another identity, and a channel that is touched under another identity than it was written under gets
 * a new epoch: a reader then sees a break, never a silent hole (PROTOCOL §10.5).
 */

/** A place in a channel. `offset` 0 is before the first publication. */
export interface Position {
  readonly offset: number
  readonly epoch: string
}

export interface StoredPublication {
  readonly offset: number
  /** The JSON text of the data, as re-encoded by the gateway. */
  readonly data: string
  /** Unix milliseconds. */
  readonly publishedAt: number
}

export interface Published extends Position {
  /** The idempotency key was used before, with the same data: this is that publication's position. */
  readonly duplicate: boolean
}

/** A channel as one read found it. */
export interface ChannelState {
  readonly top: Position
  /**
   * Everything after the position that was asked for, without a hole, up to the top. Absent: the position has another
   * epoch, is above the top, or lies so far back that the history (or the caller's bound) does not reach it.
   */
  readonly publications?: readonly StoredPublication[]
}

export interface PublishOptions {
  /** Unix milliseconds. */
  readonly publishedAt: number
  /**
   * Made unique within the channel by the caller (client id and key); '' for none. Its result is remembered for
   * {@link idempotencyLifeMs} (PROTOCOL §7).
   */
  readonly idempotencyKey: string
}

/** How long a publication's result is kept for repeats with its idempotency key, in milliseconds (PROTOCOL §7). */
export const idempotencyLifeMs = 5 * 60 * 1000
/** What a channel's history may hold, in bytes of data; older publications are dropped first. */
export const historyBytes = 4 * 1024 * 1024

/** What a store keeps of each channel, beside {@link historyBytes}. */
export interface HistoryBounds {
  /** Publications kept, the newest. */
  readonly size: number
  /** How long a channel's history is kept after its newest publication, in milliseconds. */
  readonly lifeMs: number
}

export const defaultHistory: HistoryBounds = Object.freeze({ size: 1024, lifeMs: 300_000 })

/** Told synchronously, one thing at a time. Neither may throw. */
export interface ChannelListener {
  /** A publication of a channel that was listened to. In order per channel, but any may be missing, or come twice. */
  publication(channel: string, epoch: string, publication: StoredPublication): void
  /** Word may have been lost (the connection broke, a bounded queue overflowed): positions are to be checked now. */
  mayHaveMissed(): void
}

/** What went wrong on the way of publications to this instance, ever. */
export interface ChannelCounts {
  /** Publications that were dropped because too many waited. */
  dropped: number
  /** Times that the listening connection was deaf and was made anew. */
  restarts: number
}

export interface ChannelStore {
  /**
   * Publishes: idempotency, offset, history and word to the listeners, all in one step or nothing.
   * @returns the publication's position; `conflict` where the key was used with other data
   * @throws StoreUnavailable: whether it was published is unknown, unless too much was kept to take it
   */
  publish(channel: string, data: string, options: PublishOptions): Promise<Published | 'conflict'>
  /**
   * The channel's top and, where `after` is given, what came after it: all of it, at most `limit`, or nothing. A channel
   * that is not known is made, with a new epoch and offset 0.
   * @param limit  most publications; more than these are none
   */
  read(channel: string, after: Position | undefined, limit: number): Promise<ChannelState>
  /** The tops of many channels, in their order, in as few round trips as there can be. Unknown ones are made. */
  tops(channels: readonly string[]): Promise<readonly Position[]>
  /**
   * Resolves once publications of these channels will be heard: what is published from then on arrives, or
   * `mayHaveMissed` is called. Many calls of one moment travel together. Where it rejects, the channel is wanted all the
   * same and heard as soon as it can be; `unlisten` takes it back.
   * @throws StoreUnavailable
   */
  listen(channels: readonly string[]): Promise<void>
  unlisten(channels: readonly string[]): void
  /** Sets who is told. One listener, set once before the first `listen`. */
  onPublication(listener: ChannelListener): void
  /** Whether word arrives: false while the listening connection is down, or silent though a probe was published. */
  readonly isReceiving: boolean
  readonly counts: Readonly<ChannelCounts>
}
