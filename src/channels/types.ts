import type {
  ChannelPage,
  ChannelState,
  PageRequest,
  Position,
  Published,
  StoredPublication
} from '../store/channels.js'
import type { MaybePromise } from '../store/maybe-promise.js'

/** A session that receives publications as they arrive (a socket). */
export interface Subscriber {
  /** Receives the publication after its position. */
  publication(channel: string, epoch: string, publication: StoredPublication): void
  /** Publications after its position are lost; the subscriber has left (INSUFFICIENT_STATE). */
  lost(channel: string): void
}

/** Asks a join for the newest publications instead of the missed ones (PROTOCOL §10.6). */
export interface LastPublications {
  /** Most publications. */
  readonly last: number
  /** Most bytes of their data; at least one is returned if any is kept. */
  readonly maxBytes: number
}

/** Start of a subscriber: it recovers from a position, or gets the newest publications. */
export type JoinPoint = Position | LastPublications

/** The result of a join. */
export interface Joined {
  /** The subscriber's position after `publications`. */
  readonly position: Position
  readonly recovered: boolean
  /** The missed publications, or the newest, in order. */
  readonly publications: readonly StoredPublication[]
}

export interface ReadOptions {
  /** Asks the store even if memory has an answer. Recoveries need it, because memory may lag. */
  readonly fresh: boolean
  /** Owners whose quotas count a channel that this read creates, see store/owners.ts; absent: no quota. */
  readonly owners?: string
}

/** The publisher. */
export interface PublishRequest {
  /** Unique across channels; '' if the call will not be repeated. */
  readonly idempotencyKey: string
  /** Owners whose quotas count the publication, see store/owners.ts; absent: no quota. */
  readonly owners?: string
  /** The gateway made the key for a message of this bridge session. */
  readonly sessionId?: string
}

/**
 * Publications on one instance (PROTOCOL §10): it listens to the channels that its sessions have joined, delivers each
 * publication to each subscriber once and in order, and detects missed ones by itself.
 */
export interface ChannelBroker {
  /**
   * @param data  JSON text
   * @throws StoreUnavailable
   * @throws RateLimited if a quota of the owners is used up; a repeat is answered even then
   */
  publish(channel: string, data: string, request: PublishRequest): MaybePromise<Published | 'conflict'>

  /**
   * Joins, or moves a subscriber that has joined, without a race: every publication after `position` reaches it.
   * Nothing is delivered before `release`: call it once the peer knows `position`.
   * @param from     a position to continue from, or the newest publications to begin with
   * @param owners   owners whose quotas count the channel if it is created; absent: no quota
   * @throws StoreUnavailable; the subscriber keeps its former position
   * @throws ProtocolError UNAVAILABLE if this instance has too many channels in use
   * @throws RateLimited if the channel is unknown and the owners may create no more
   */
  join(subscriber: Subscriber, channel: string, from?: JoinPoint, owners?: string): Promise<Joined>
  /** Delivers the publications since `join`. */
  release(subscriber: Subscriber, channel: string): void
  /** @returns false if it had not joined */
  leave(subscriber: Subscriber, channel: string): boolean

  // For sessions that fetch and keep their own positions (the bridge).

  /**
   * A channel's top, and the publications after a position: all of them, or none if there are more than `limit`. The
   * answer comes from memory if this instance has a stream of the channel, otherwise from the store. The stream stays
   * open for a while after each call.
   * @throws StoreUnavailable
   * @throws RateLimited if the channel is unknown and the owners may create no more
   */
  readAfter(
    channel: string,
    position: Position | undefined,
    limit: number,
    options?: ReadOptions
  ): Promise<ChannelState>
  /**
   * The newest publications of a channel that the store still keeps, or those just before a position. At most
   * `ChannelBounds.pageReads` such reads run concurrently.
   * @param owners  owners whose quotas count the channel if it is created; absent: no quota
   * @throws StoreUnavailable
   * @throws RateLimited if the channel is unknown and the owners may create no more
   */
  readPage(channel: string, request: PageRequest, owners?: string): Promise<ChannelPage>
  /**
   * Whether a position is the channel's top, as far as this instance knows; `readAfter` would return the same. False if
   * there is no stream of the channel.
   */
  isTop(channel: string, position: Position): boolean
  /**
   * Calls `listener` when publications follow `position`, or when the position is invalid. It may be called more than
   * once, but not before this method returns. It is a hint: it is never called if this instance has too many channels
   * in use.
   * @returns a function that stops watching
   */
  watch(channel: string, position: Position, listener: () => void): () => void
  /** Tops of many channels, for a welcome. @throws StoreUnavailable */
  tops(channels: readonly string[]): Promise<readonly Position[]>

  /** Verifies the positions of silent channels and closes unused streams. Call it about once a second. */
  tick(): Promise<void>
}
