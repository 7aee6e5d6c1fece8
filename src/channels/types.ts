import type { ChannelState, Position, Published, StoredPublication } from '../store/channels.js'

/**
 * Publications on one instance (PROTOCOL §10): it listens to the channels that its sessions have joined, hands each
 * publication to each of them once and in order, and notices for itself when one was missed.
 */

/** A session that is told of publications as they come (a socket). */
export interface Subscriber {
  /** The one after its position. */
  publication(channel: string, epoch: string, publication: StoredPublication): void
  /** What came after its position cannot be had any more; it is no longer joined (INSUFFICIENT_STATE). */
  lost(channel: string): void
}

/** How a channel was joined. */
export interface Joined {
  /** Where the subscriber stands, `publications` included. */
  readonly position: Position
  readonly recovered: boolean
  /** What it had missed, in order; empty unless `recovered`. */
  readonly publications: readonly StoredPublication[]
}

export interface ChannelBroker {
  /**
   * @param data            JSON text
   * @param idempotencyKey  unique beyond the channel; '': the call is not repeated
   * @throws StoreUnavailable
   */
  publish(channel: string, data: string, idempotencyKey: string): Promise<Published | 'conflict'>

  /**
   * Joins, or moves one that has joined, without a race: whatever is published after `position` reaches the subscriber.
   * It is told of nothing before it calls `release`, once its peer has been told of `position`.
   * @throws StoreUnavailable; the subscriber then is where it was before
   */
  join(subscriber: Subscriber, channel: string, recover?: Position): Promise<Joined>
  /** Lets go what was held back since `join`. */
  release(subscriber: Subscriber, channel: string): void
  /** @returns whether it had joined */
  leave(subscriber: Subscriber, channel: string): boolean

  // For sessions that fetch (the bridge): they keep their own positions.

  /**
   * A channel's top, and what came after a position: all of it, at most `limit`, or none. Answered from memory where
   * this instance follows the channel already (it goes on doing so for a while after it was asked), else from the store.
   * @param asksStore  the store is asked in any case whether there is more: what a recovery is told must not be old
   * @throws StoreUnavailable
   */
  readAfter(
    channel: string,
    position: Position | undefined,
    limit: number,
    options?: { readonly fresh: boolean }
  ): Promise<ChannelState>
  /**
   * Whether nothing lies after a position, as far as this instance isReceiving; `readAfter` would say the same. False where it
   * does not follow the channel.
   */
  isTop(channel: string, position: Position): boolean
  /**
   * Follows a channel and calls `listener` when something is there after `position`, soon where it is there already, or
   * when the position is broken. It may be called more than once, and never before this returns. Returns the undoing.
   * A hint: where this instance follows too many channels it is never called.
   */
  watch(channel: string, position: Position, listener: () => void): () => void
  /** Tops of many channels, for a welcome. @throws StoreUnavailable */
  tops(channels: readonly string[]): Promise<readonly Position[]>

  /** About once a second: position checks of quiet channels, channels that nobody needs any more. */
  tick(): Promise<void>
}
