import type { Peer } from '../auth/peer.js'
import { hasPresence } from '../auth/permissions.js'
import type { PresenceTracker } from '../session/presence.js'
import { subjectOf } from '../session/presence-changes.js'
import type { Presence, PresenceChanges, PresenceEntry } from '../store/presence.js'
import type { Store } from '../store/store.js'
import { PresenceAnnouncer } from './presence-announcer.js'

/** All present sessions are written to the store again after this time, or a third of an entry's life if that is less. */
export const presenceRefreshMs = 20_000
/**
 * Changes that wait for the next flush. Further ones are dropped: the next refresh adds a missed join, and the entry's
 * deadline ends a missed leave.
 */
export const maxPendingChanges = 100_000
/** Interval between removals of ended entries, in channels whose changes are watched here, in milliseconds. */
export const sweepEveryMs = 5000
/** Such channels of this instance. Entries of further ones are removed by their next refresh. */
export const maxSweptChannels = 10_000
/** A channel counts as wanted for this long after {@link PresenceTracker.watched}, in milliseconds. */
const wantedMs = 60_000

/** A presence tracker that writes to the store: changes about once a second, and everything at each refresh. */
export interface StoredPresenceTracker extends PresenceTracker {
  /**
   * Writes pending changes. One flush runs at a time. The next refresh covers a failed one.
   * @param everyone  lists all present sessions for a refresh. `since` is the previous refresh in Unix milliseconds:
   *   sessions that only the store holds are listed if they were active since then
   * @throws StoreUnavailable
   */
  flush(everyone: (since: number) => Iterable<PresenceEntry>): Promise<void>
}

interface PendingChange {
  readonly who: Presence
  /** Unix milliseconds; undefined when the session left. */
  readonly deadline: number | undefined
}

export interface PresenceTrackerOptions {
  readonly store: Pick<Store, 'presence' | 'channels'>
  /** Channels for which presence is kept. When empty, it costs no store commands. */
  readonly patterns: readonly string[]
  /** See `presenceLifeMs`. */
  readonly lifeMs: number
  /** Unix milliseconds of the steady clock. */
  readonly now: () => number
}

class Tracker implements StoredPresenceTracker {
  readonly #options: PresenceTrackerOptions
  readonly #refreshMs: number
  readonly #announcer: PresenceAnnouncer
  /** The last change of each session in each channel. */
  #pending = new Map<string, PendingChange>()
  /** Channels whose changes are watched here, and the time of the last report of that. Oldest first. */
  readonly #wanted = new Map<string, number>()
  #refreshedAt = 0
  #sweptAt = 0
  #flushing: Promise<void> | undefined

  constructor(options: PresenceTrackerOptions) {
    this.#options = options
    this.#refreshMs = Math.min(presenceRefreshMs, Math.floor(options.lifeMs / 3))
    this.#announcer = new PresenceAnnouncer(options.store, options.now)
  }

  covers(channel: string): boolean {
    const { patterns } = this.#options
    return patterns.length > 0 && subjectOf(channel) === undefined && hasPresence(patterns, channel)
  }

  joined(peer: Peer, channel: string): void {
    this.#enqueue(peer, channel, this.#options.now() + this.#options.lifeMs)
  }

  left(peer: Peer, channel: string): void {
    this.#enqueue(peer, channel, undefined)
  }

  watched(channel: string): void {
    if (!this.#wanted.delete(channel) && this.#wanted.size >= maxSweptChannels) return
    this.#wanted.set(channel, this.#options.now())
  }

  #enqueue({ sessionId, clientId }: Peer, channel: string, deadline: number | undefined): void {
    if (!this.covers(channel)) return
    const key = `${channel} ${sessionId}`
    if (!this.#pending.has(key) && this.#pending.size >= maxPendingChanges) return
    this.#pending.set(key, { who: { channel, sessionId, clientId }, deadline })
  }

  async flush(everyone: (since: number) => Iterable<PresenceEntry>): Promise<void> {
    if (this.#options.patterns.length === 0) return
    this.#flushing ??= this.#flushNow(everyone).finally(() => {
      this.#flushing = undefined
    })
    await this.#flushing
  }

  async #flushNow(everyone: (since: number) => Iterable<PresenceEntry>): Promise<void> {
    const at = this.#options.now()
    const changes = [await this.#write(everyone, at), await this.#sweep(at)]
    await this.#announcer.announce(changes.flat())
  }

  async #write(everyone: (since: number) => Iterable<PresenceEntry>, at: number): Promise<readonly PresenceChanges[]> {
    const { presence } = this.#options.store
    const since = this.#refreshedAt
    const isRefresh = at - since >= this.#refreshMs
    const changes = [...this.#pending.values()]
    if (!isRefresh && changes.length === 0) return []
    this.#pending = new Map()
    const present = changes.flatMap(({ who, deadline }) => (deadline === undefined ? [] : [{ ...who, deadline }]))
    const gone = changes.flatMap(({ who, deadline }) => (deadline === undefined ? [who] : []))
    if (isRefresh) {
      this.#refreshedAt = at
      for (const entry of everyone(since)) if (this.covers(entry.channel)) present.push(entry)
    }
    try {
      return await Promise.all([
        ...(present.length > 0 ? [presence.touch(present, at)] : []),
        ...(gone.length > 0 ? [presence.leave(gone)] : [])
      ])
    } catch (error) {
      // Makes the next flush a refresh, which includes the changes that this one lost.
      this.#refreshedAt = Math.min(since, at - this.#refreshMs)
      throw error
    }
  }

  /** The sessions of a dead instance are not reported as left: their entries end by deadline. */
  async #sweep(at: number): Promise<readonly PresenceChanges[]> {
    if (at - this.#sweptAt < sweepEveryMs) return []
    this.#sweptAt = at
    for (const [channel, wantedAt] of this.#wanted) {
      if (at - wantedAt < wantedMs) break
      this.#wanted.delete(channel)
    }
    const channels = [...this.#wanted.keys()]
    return channels.length === 0 ? [] : [await this.#options.store.presence.sweep(channels, at)]
  }
}

export function createPresenceTracker(options: PresenceTrackerOptions): StoredPresenceTracker {
  return new Tracker(options)
}
