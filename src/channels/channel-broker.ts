import { ProtocolError } from '../protocol/protocol-error.js'
import type { ChannelState, Position, StoredPublication } from '../store/channels.js'
import { type ChannelBounds, defaultChannelBounds } from './bounds.js'
import { type ChannelManagerOptions, createChannelManager, repairTries } from './channel-manager.js'
import type { ChannelStream } from './channel-stream.js'
import type { ChannelBroker, Joined, Subscriber } from './types.js'

export type ChannelBrokerOptions = Omit<ChannelManagerOptions, 'bounds'> & { readonly bounds?: Partial<ChannelBounds> }

function isWithin(publications: readonly StoredPublication[], bytes: number): boolean {
  return publications.reduce((sum, { data }) => sum + Buffer.byteLength(data), 0) <= bytes
}

/** See {@link ChannelBroker}. It has no timer: `tick` brings the time. */
export function createChannelBroker(options: ChannelBrokerOptions): ChannelBroker {
  const { store, now, log } = options
  const bounds: ChannelBounds = { ...defaultChannelBounds, ...options.bounds }
  const follower = createChannelManager({ ...options, bounds })

  /** What came after a position, as far as the feed has come when this resolves; nothing where it cannot be had. */
  async function since(feed: ChannelStream, position: Position, limit: number): Promise<ChannelState> {
    for (let i = 0; i < repairTries; i++) {
      const { top } = feed
      const missed = top.offset - position.offset
      if (position.epoch !== top.epoch || missed < 0 || missed > limit) return { top }
      const kept = feed.since(position)
      if (kept !== undefined) return { top, publications: kept }
      const begun = feed.waited
      const state = await store.read(feed.channel, position, limit)
      if (state.publications === undefined) {
        // That those cannot be had says nothing of the ones that the feed itself may be missing.
        if (!feed.hasReached(state.top)) await follower.refresh(feed)
        return { top: feed.top }
      }
      feed.take(state, begun)
      // What was heard while the store was read comes behind it.
      const later = feed.top.epoch === state.top.epoch ? feed.since(state.top) : undefined
      if (later !== undefined && state.publications.length + later.length <= limit) {
        return { top: feed.top, publications: [...state.publications, ...later] }
      }
    }
    return { top: feed.top }
  }

  async function join(subscriber: Subscriber, channel: string, recover?: Position): Promise<Joined> {
    const feed = follower.tryFollow(channel)
    if (feed === undefined) throw new ProtocolError('UNAVAILABLE', 'this instance follows as many channels as it can')
    feed.pins++
    try {
      await follower.refresh(feed)
      if (recover === undefined) {
        feed.hold(subscriber, feed.top)
        return { position: feed.top, recovered: false, publications: [] }
      }
      const { top, publications } = await since(feed, recover, bounds.recover)
      // Since then more may have been heard: it is let go with the release.
      if (publications !== undefined && isWithin(publications, bounds.recoverBytes) && feed.hold(subscriber, top)) {
        return { position: top, recovered: true, publications }
      }
      feed.hold(subscriber, feed.top)
      return { position: feed.top, recovered: false, publications: [] }
    } finally {
      feed.pins--
      feed.usedAt = now()
    }
  }

  async function readAfter(
    channel: string,
    position: Position | undefined,
    limit: number,
    options?: { readonly fresh: boolean }
  ): Promise<ChannelState> {
    const feed = follower.tryFollow(channel)
    if (feed === undefined) return store.read(channel, position, limit)
    feed.pins++
    try {
      const behind = position !== undefined && !feed.hasReached(position)
      const isDoubtful = !feed.isOpen || behind || feed.hasHole || !store.isReceiving
      if (options?.fresh === true || isDoubtful) await follower.refresh(feed)
      return position === undefined ? { top: feed.top } : await since(feed, position, limit)
    } finally {
      feed.pins--
      feed.usedAt = now()
    }
  }

  function isTop(channel: string, { offset, epoch }: Position): boolean {
    const feed = follower.get(channel)
    if (feed === undefined || !store.isReceiving || feed.hasHole || !feed.isAt(offset, epoch)) return false
    feed.usedAt = now()
    return true
  }

  function watch(channel: string, position: Position, listener: () => void): () => void {
    const feed = follower.tryFollow(channel)
    if (feed === undefined) return () => {}
    const unwatch = feed.watch({ position, listener })
    if (!feed.hasReached(position)) {
      follower.refresh(feed).catch((error: unknown) => {
        follower.retryLater(feed)
        log.debug({ err: error, channel }, 'a channel cannot be followed yet')
      })
    }
    return () => {
      unwatch()
      feed.usedAt = now()
    }
  }

  return {
    publish: (channel, data, idempotencyKey) => store.publish(channel, data, { publishedAt: now(), idempotencyKey }),
    join,
    release: (subscriber, channel) => follower.get(channel)?.release(subscriber),
    leave(subscriber, channel) {
      const feed = follower.get(channel)
      if (feed === undefined || !feed.leave(subscriber)) return false
      feed.usedAt = now()
      return true
    },
    readAfter,
    isTop,
    watch,
    tops: channels => store.tops(channels),
    tick: follower.tick
  }
}
