import type { MaybePromise } from './maybe-promise.js'

/**
 * Channels in the store (PROTOCOL §10): offsets, a bounded history, and notifications to every listening instance.
 *
 * **The fence.** An offset never goes back under one epoch. A store that was rewound (an older snapshot, a failover
 * that lost writes) has another identity. A channel written under another identity gets a new epoch at its next use, so
 * that a reader sees a break and never a silent gap (PROTOCOL §10.5).
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
  /** Owners whose quotas count it, see owners.ts. Absent: none, or an earlier version stored it. */
  readonly owners?: string
}

export interface Published extends Position {
  /** The idempotency key was used before with the same data; the position is that of the earlier publication. */
  readonly duplicate: boolean
}

/** A publication dropped from a history. */
export interface Dropped {
  /** Owners whose quotas counted it, see owners.ts; '' if unknown. */
  readonly owners: string
  /** As {@link ChannelStore.bytesOf} counts them. */
  readonly bytes: number
  /** When it was published, unix milliseconds. */
  readonly publishedAt: number
}

/** The state of a channel at one read. */
export interface ChannelState {
  /** The position of the newest publication. */
  readonly top: Position
  /**
   * Every publication after the requested position up to the top, without a gap. Undefined if the position has another
   * epoch, is above the top, or is further back than the history or the caller's limit.
   */
  readonly publications?: readonly StoredPublication[]
}

/** Range of {@link ChannelStore.newest}. */
export interface PageRequest {
  /** They end just before this one. Absent: they end with the newest. */
  readonly before?: Position | undefined
  /** Most publications. */
  readonly limit: number
  /** Most bytes of their data, in UTF-8; at least one is returned if there is any. */
  readonly maxBytes: number
}

/** The newest publications kept in a channel, as many as fit into the request. */
export interface ChannelPage {
  /** The position of the newest publication, as of this read. */
  readonly top: Position
  /** Oldest first, without a gap; none if `before` has another epoch. */
  readonly publications: readonly StoredPublication[]
  /** Whether the history has older ones. */
  readonly more: boolean
}

export interface PublishOptions {
  /** Unix milliseconds. */
  readonly publishedAt: number
  /**
   * Unique within the channel (the caller joins client id and key); '' for none. Its result is remembered for
   * {@link idempotencyLifeMs} (PROTOCOL §7).
   */
  readonly idempotencyKey: string
  /** Stored with the publication, see owners.ts. The result of the key counts towards the share of the first. Default ''. */
  readonly owners?: string | undefined
  /**
   * The key is the gateway's own for a message of this bridge session, not the client's: the result lives no longer than
   * the session, and {@link sessionResultLifeMs} at most.
   */
  readonly sessionId?: string | undefined
}

/**
 * Time for which a publication's result is kept for repeats with its idempotency key, in milliseconds (PROTOCOL §7).
 */
export const idempotencyLifeMs = 5 * 60 * 1000
/** The same for a message of a bridge session, in milliseconds: a claim runs again within 15 s (PROTOCOL §9.4 c). */
export const sessionResultLifeMs = 60 * 1000
/** Most bytes of a channel's history; older publications are dropped first. */
export const historyBytes = 4 * 1024 * 1024
/** A publication that is older than the history's life is dropped by the next one, this number at once. */
export const maxAgedDrops = 64
/** Life of a channel that was never published to, after its last use, in milliseconds. */
export const unpublishedLifeMs = 10 * 60 * 1000
/** Life of any other channel after its last use, in milliseconds. It returns with another epoch. */
export const publishedLifeMs = 60 * 60 * 1000

/** Bounds of each channel besides {@link historyBytes}. */
export interface HistoryBounds {
  /** Most publications; older ones are dropped first. */
  readonly size: number
  /** Life of a publication, in milliseconds. Older ones go with the next publication, or all together. */
  readonly lifeMs: number
}

export const defaultHistory: HistoryBounds = Object.freeze({ size: 1024, lifeMs: 300_000 })

/**
 * Life of a channel after its last use, in milliseconds: always longer than its history.
 * @param historyLifeMs  see {@link HistoryBounds}
 */
export function channelLifeMs(isPublished: boolean, historyLifeMs: number): number {
  return isPublished ? Math.max(publishedLifeMs, historyLifeMs + unpublishedLifeMs) : unpublishedLifeMs
}

/** Called synchronously, one call at a time. Neither method may throw. */
export interface ChannelListener {
  /** A publication of a watched channel. Ordered per channel, but any may be missing or duplicated. */
  publication(channel: string, epoch: string, publication: StoredPublication): void
  /** Notifications may have been lost: the connection broke, or a bounded queue overflowed. Verify all positions. */
  mayHaveMissed(): void
}

/** Delivery faults of publications to this instance, since its start. */
export interface ChannelCounts {
  /** Publications that were dropped because the queue was full. */
  dropped: number
  /** Restarts of the subscriber's connection because it was not receiving. */
  restarts: number
}

export interface ChannelStore {
  /**
   * Publishes in one atomic step: idempotency, offset, history and the notification of listeners.
   * @param data  JSON text
   * @returns the publication's position; `conflict` if the key was used with other data
   * @throws StoreUnavailable; `outcome` states whether the publication may have been made. ShareExceeded if the results
   *         of idempotency keys are at their bound and the owner exceeds its share
   */
  publish(channel: string, data: string, options: PublishOptions): MaybePromise<Published | 'conflict'>
  /**
   * The answer to a publication whose idempotency key was used before; undefined if it was not. It publishes nothing.
   * @throws StoreUnavailable
   */
  findRepeat(channel: string, data: string, options: PublishOptions): Promise<Published | 'conflict' | undefined>
  /** Bytes that a publication costs the store while it is in a history. @param data  JSON text. @param owners  default '' */
  bytesOf(data: string, owners?: string): number
  /**
   * Sets a listener for publications that a call of this instance drops from a history, by a bound or with their
   * channel. Publications dropped for their age or with the store's state may be left out. Call it once. The listener
   * is called synchronously, before the call is answered, and must not throw.
   */
  onDrop(listener: (dropped: Dropped) => void): void
  /**
   * Reads a channel's top and, given `after`, all publications after it. An unknown channel is created with a new epoch
   * and offset 0.
   * @param limit    most publications; if there are more, none is returned
   * @param created  receives the channel's name if this call created it
   */
  read(channel: string, after: Position | undefined, limit: number, created?: Set<string>): Promise<ChannelState>
  /**
   * Reads the newest kept publications, or those just before a position. An unknown channel is created.
   * @param created  receives the channel's name if this call created it
   * @throws StoreUnavailable
   */
  newest(channel: string, request: PageRequest, created?: Set<string>): Promise<ChannelPage>
  /**
   * The tops of many channels, in their order, in few round trips. Unknown channels are created.
   * @param created  receives the names of created ones
   */
  tops(channels: readonly string[], created?: Set<string>): Promise<readonly Position[]>
  /** Whether the channel is known, so that its use creates nothing. */
  exists(channel: string): Promise<boolean>
  /** Frees part of the expired data. Call it about once a second; Redis expires keys by itself. */
  removeExpired(): void
  /**
   * Resolves when publications of these channels are received: each one after that arrives, or `mayHaveMissed` is
   * called. Concurrent calls are batched. If it rejects, the channels stay requested and are received as soon as
   * possible; `unlisten` withdraws the request.
   * @throws StoreUnavailable
   */
  listen(channels: readonly string[]): Promise<void>
  unlisten(channels: readonly string[]): void
  /** Sets the listener. Call it once, before the first `listen`. */
  onPublication(listener: ChannelListener): void
  /** False while the subscriber's connection is down, or receives nothing although a probe was published. */
  readonly isReceiving: boolean
  readonly counts: Readonly<ChannelCounts>
  /** Last measured time for publications from this instance back to its subscriber, in milliseconds. */
  readonly lagMs: number
}
