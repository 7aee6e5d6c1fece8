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
  /** Made unique by the caller (client id and key). Remembered for `idempotencySeconds` (PROTOCOL §7). */
  readonly idempotencyKey: string
}

/** What a store keeps of each channel. */
export interface HistoryBounds {
  /** Publications kept, the newest. */
  readonly size: number
  /** How long a publication is kept after the newest one. */
  readonly lifeMs: number
}

export interface ChannelListener {
  /** A publication of a channel that was listened to. In order per channel, but any may be missing, or come twice. */
  publication(channel: string, epoch: string, publication: StoredPublication): void
  /** Word may have been lost (the connection broke, a bounded queue overflowed): positions are to be checked now. */
  mayHaveMissed(): void
}

export interface ChannelStore {
  /**
   * Publishes: idempotency, offset, history and word to the listeners, all in one step or nothing.
   * @returns the publication's position; `conflict` where the key was used with other data
   */
  publish(channel: string, data: string, options: PublishOptions): Promise<Published | 'conflict'>
  /**
   * The channel's top and, where `after` is given, what came after it: all of it, at most `limit`, or nothing. A channel
   * that is not known is made, with a new epoch and offset 0.
   */
  read(channel: string, after: Position | undefined, limit: number): Promise<ChannelState>
  /** The tops of many channels, in their order, in as few round trips as there can be. Unknown ones are made. */
  tops(channels: readonly string[]): Promise<readonly Position[]>
  /** Resolves once publications of these channels will be heard. Many calls of one moment travel together. */
  listen(channels: readonly string[]): Promise<void>
  unlisten(channels: readonly string[]): void
  /** Sets who is told. One listener, set once before the first `listen`. */
  onPublication(listener: ChannelListener): void
  /** Whether word arrives: false while the listening connection is down, or silent though a probe was published. */
  readonly hears: boolean
}
