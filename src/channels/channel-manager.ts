import type { ChannelStore, Position } from '../store/channels.js'
import { StoreUnavailable } from '../store/store.js'
import type { ChannelBounds } from './bounds.js'
import { ChannelStream, type StreamObserver } from './channel-stream.js'
import { type HistoryBudget, HistoryBuffer } from './history-buffer.js'
import { Semaphore } from './semaphore.js'

/** Reads in a row that bring a channel up to what was seen of it. More are needed only where each meets a new hole. */
export const repairTries = 3

interface ChannelsLog {
  debug(facts: object, sentence: string): void
  warn(facts: object, sentence: string): void
}

export interface ChannelManagerOptions {
  readonly store: ChannelStore
  readonly bounds: ChannelBounds
  /** Unix milliseconds. */
  readonly now: () => number
  /** From 0 to 1. */
  readonly random: () => number
  readonly log: ChannelsLog
  readonly observer: ChannelsObserver
}

export interface ChannelsObserver extends StreamObserver {
  /** A hole was found and is being filled from the store. */
  missed(): void
}

/** Channels that are asked about together. */
interface Batch {
  readonly feeds: Set<ChannelStream>
  /** The store's tops, or nothing of a feed that was not asked about. */
  readonly tops: Promise<ReadonlyMap<ChannelStream, Position>>
}

/** Keeps the channels that this instance follows where the store has them, and lets go those that nobody needs. */
export function createChannelManager({ store, bounds, now, random, log, observer }: ChannelManagerOptions) {
  const budget: HistoryBudget = { bytes: 0, maxBytes: bounds.allRingsBytes }
  const feeds = new Map<string, ChannelStream>()
  /** Those with a hole that could not be filled yet, or that could not be opened. */
  const unsettled = new Set<ChannelStream>()
  const repairs = new Semaphore(bounds.repairs)
  let gathering: Batch | undefined
  /** When all positions are to be checked, after word may have been lost. */
  let checkAllAt: number | undefined

  store.onPublication({
    publication(channel, epoch, publication) {
      const feed = feeds.get(channel)
      if (feed === undefined) return
      feed.hear(epoch, publication)
      if (feed.hasHole) heal(feed)
      else feed.checkedAt = now()
    },
    mayHaveMissed() {
      checkAllAt ??= now() + random() * bounds.spreadMs
    }
  })

  // ── Following ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The feed of a channel, made where there is none; nothing where there are too many. */
  function tryFollow(channel: string): ChannelStream | undefined {
    const known = feeds.get(channel)
    if (known !== undefined) {
      known.usedAt = now()
      return known
    }
    if (feeds.size >= bounds.followed) dropIdle(Number.POSITIVE_INFINITY)
    if (feeds.size >= bounds.followed) return undefined
    const feed = new ChannelStream(
      channel,
      new HistoryBuffer(budget, bounds.ringCount, bounds.ringBytes),
      observer,
      now()
    )
    feeds.set(channel, feed)
    return feed
  }

  /** Lets go what nobody has needed since `before`. */
  function dropIdle(before: number): void {
    const unheard: string[] = []
    for (const [channel, feed] of feeds) {
      if (feed.usedAt > before || feed.isNeeded || feed.repairing !== undefined) continue
      feeds.delete(channel)
      unsettled.delete(feed)
      feed.drop()
      if (feed.listening) unheard.push(channel)
    }
    if (unheard.length > 0) store.unlisten(unheard)
  }

  /** Listens first, then looks: what is published in between is heard. */
  async function look(asked: ReadonlySet<ChannelStream>): Promise<ReadonlyMap<ChannelStream, Position>> {
    const all = [...asked]
    const deaf = all.filter(feed => !feed.listening)
    if (deaf.length > 0) {
      await store.listen(deaf.map(feed => feed.channel))
      for (const feed of deaf) feed.listening = true
    }
    const tops = await store.tops(all.map(feed => feed.channel))
    return new Map(all.flatMap((feed, i) => (tops[i] === undefined ? [] : [[feed, tops[i]] as const])))
  }

  /** The store's top of a channel, seen after this was called. Those of one moment are asked for together. */
  async function topOf(feed: ChannelStream): Promise<Position> {
    if (gathering === undefined || gathering.feeds.size >= bounds.batch) {
      const asked = new Set<ChannelStream>()
      const batch: Batch = {
        feeds: asked,
        tops: Promise.resolve().then(() => {
          if (gathering === batch) gathering = undefined
          return look(asked)
        })
      }
      gathering = batch
    }
    gathering.feeds.add(feed)
    const top = (await gathering.tops).get(feed)
    if (top === undefined) throw new StoreUnavailable(new Error('a channel without a top'))
    return top
  }

  /** Brings a feed up to where the store is, at the least as it is when this is called. @throws StoreUnavailable */
  async function refresh(feed: ChannelStream): Promise<void> {
    feed.pins++
    try {
      await catchUp(feed, await topOf(feed))
    } finally {
      feed.pins--
    }
  }

  async function catchUp(feed: ChannelStream, top: Position): Promise<void> {
    if (!feed.isOpen) feed.take({ top }, 0)
    for (let i = 0; !feed.hasReached(top) && i < repairTries; i++) await repair(feed)
    if (!feed.hasReached(top) && feed.top.epoch === top.epoch)
      throw new StoreUnavailable(new Error('a top out of reach'))
    feed.checkedAt = now()
    if (feed.hasHole) heal(feed)
  }

  /** One read at a time for a channel: whoever comes during one shares it. */
  function repair(feed: ChannelStream): Promise<void> {
    feed.repairing ??= repairs
      .run(async () => {
        const begun = feed.waited
        feed.take(await store.read(feed.channel, feed.top, bounds.repairCount), begun)
      })
      .finally(() => {
        feed.repairing = undefined
      })
    return feed.repairing
  }

  /** Fills a hole that was heard of. What cannot be filled now is tried again with the next tick. */
  async function fill(feed: ChannelStream): Promise<void> {
    observer.missed()
    try {
      for (let i = 0; feed.hasHole && i < repairTries; i++) await repair(feed)
      if (feed.hasHole) unsettled.add(feed)
    } catch (error) {
      unsettled.add(feed)
      log.debug({ err: error, channel: feed.channel }, 'missed publications could not be read')
    }
  }

  function heal(feed: ChannelStream): void {
    if (feed.repairing === undefined) void fill(feed)
  }

  // ── Time ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Feeds that have a hole, or were quiet for so long that one would not be noticed. */
  function due(at: number): ChannelStream[] {
    const most = bounds.batch * bounds.batchesPerTick
    const found = new Set(unsettled)
    unsettled.clear()
    for (const feed of feeds.values()) {
      if (found.size >= most) break
      if (at - feed.checkedAt >= bounds.checkMs) found.add(feed)
    }
    return [...found]
  }

  async function check(): Promise<void> {
    const at = now()
    if (checkAllAt !== undefined && at >= checkAllAt) {
      checkAllAt = undefined
      for (const feed of feeds.values()) feed.checkedAt = 0
    }
    const found = due(at)
    const results = await Promise.allSettled(found.map(refresh))
    results.forEach((result, i) => {
      const feed = found[i]
      // An error here says nothing of the subscribers' positions: they are looked at later, nobody is sent away.
      if (result.status === 'rejected' && feed !== undefined && feeds.get(feed.channel) === feed) unsettled.add(feed)
    })
    const failed = results.find(result => result.status === 'rejected')
    if (failed !== undefined) log.debug({ err: failed.reason }, 'positions could not be checked')
  }

  let checking: Promise<void> | undefined

  return {
    /** The feed of a channel that is followed already. */
    get: (channel: string): ChannelStream | undefined => feeds.get(channel),
    tryFollow,
    refresh,
    /** What could not be done is to be tried again with the next tick. */
    retryLater: (feed: ChannelStream) => void unsettled.add(feed),
    /** Position checks, and an end to what nobody needs. */
    tick(): Promise<void> {
      dropIdle(now() - bounds.idleMs)
      checking ??= check().finally(() => {
        checking = undefined
      })
      return checking
    }
  }
}
