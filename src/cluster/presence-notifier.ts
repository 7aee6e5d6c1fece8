import type { ChannelBroker, Subscriber } from '../channels/types.js'
import type { Log } from '../session/dependencies.js'
import type { PresenceNotifier, PresenceTracker, PresenceWatcher } from '../session/presence.js'
import { PresenceDelta, presenceChannelOf, presenceIntervalMs, subjectOf } from '../session/presence-changes.js'
import type { StoredPublication } from '../store/channels.js'

export interface PresenceNotifierOptions {
  readonly channels: Pick<ChannelBroker, 'join' | 'release' | 'leave'>
  readonly presence: Pick<PresenceTracker, 'watched'>
  readonly log: Pick<Log, 'debug'>
  /** Unix milliseconds of the steady clock. */
  readonly now: () => number
}

interface WatcherState {
  /** Whether changes are sent to the watcher yet. */
  isReleased: boolean
  /** In the last message to it. */
  statedCount: number | undefined
}

/** One channel with watchers on this instance. */
interface Watched {
  readonly watchers: Map<PresenceWatcher, WatcherState>
  delta: PresenceDelta
  sentAt: number
  isJoined: boolean
  joining: Promise<void> | undefined
}

/**
 * The changes of presence for all sockets of this instance: it joins each channel of changes once for all its watchers.
 */
export class ChannelPresenceNotifier implements PresenceNotifier, Subscriber {
  readonly #options: PresenceNotifierOptions
  readonly #watched = new Map<string, Watched>()

  constructor(options: PresenceNotifierOptions) {
    this.#options = options
  }

  async watch(channel: string, watcher: PresenceWatcher): Promise<void> {
    const watched = this.#watched.get(channel) ?? this.#create(channel)
    const isNew = !watched.watchers.has(watcher)
    if (isNew) watched.watchers.set(watcher, { isReleased: false, statedCount: undefined })
    try {
      await this.#join(channel, watched)
    } catch (error) {
      if (isNew) this.unwatch(channel, watcher)
      throw error
    }
  }

  #create(channel: string): Watched {
    const watched: Watched = {
      ...{ watchers: new Map(), delta: new PresenceDelta(), sentAt: Number.NEGATIVE_INFINITY, isJoined: false },
      joining: undefined
    }
    this.#watched.set(channel, watched)
    return watched
  }

  #join(channel: string, watched: Watched): Promise<void> {
    if (watched.isJoined) return Promise.resolve()
    watched.joining ??= this.#joinNow(channel, watched).finally(() => {
      watched.joining = undefined
      this.#leaveIfUnused(channel, watched)
    })
    return watched.joining
  }

  async #joinNow(channel: string, watched: Watched): Promise<void> {
    const { channels, presence } = this.#options
    const name = presenceChannelOf(channel)
    presence.watched(channel)
    await channels.join(this, name)
    watched.isJoined = true
    channels.release(this, name)
  }

  release(channel: string, watcher: PresenceWatcher): void {
    const state = this.#watched.get(channel)?.watchers.get(watcher)
    if (state !== undefined) state.isReleased = true
  }

  unwatch(channel: string, watcher: PresenceWatcher): void {
    const watched = this.#watched.get(channel)
    if (watched?.watchers.delete(watcher) === true) this.#leaveIfUnused(channel, watched)
  }

  #leaveIfUnused(channel: string, watched: Watched): void {
    if (watched.watchers.size > 0 || watched.joining !== undefined) return
    this.#watched.delete(channel)
    this.#options.channels.leave(this, presenceChannelOf(channel))
  }

  publication(name: string, _epoch: string, { data }: StoredPublication): void {
    const channel = subjectOf(name)
    const watched = channel === undefined ? undefined : this.#watched.get(channel)
    if (channel === undefined || watched === undefined) return
    watched.delta.add(data)
    this.#sendIfDue(channel, watched)
  }

  /** Changes were lost; the next ones are sent (PROTOCOL §10.7: a hint, no log). */
  lost(name: string): void {
    const watched = this.#watched.get(subjectOf(name) ?? '')
    if (watched !== undefined) watched.isJoined = false
  }

  /** Also joins lost channels again. */
  tick(): void {
    const { presence, log } = this.#options
    for (const [channel, watched] of this.#watched) {
      presence.watched(channel)
      this.#sendIfDue(channel, watched)
      this.#join(channel, watched).catch((error: unknown) =>
        log.debug({ err: error, channel }, 'could not follow the presence of a channel')
      )
    }
  }

  #sendIfDue(channel: string, watched: Watched): void {
    const { delta, watchers, sentAt } = watched
    const at = this.#options.now()
    if (delta.isEmpty || at - sentAt < presenceIntervalMs) return
    watched.delta = new PresenceDelta()
    watched.sentAt = at
    for (const [watcher, state] of [...watchers]) {
      const message = state.isReleased ? delta.messageFor(channel, watcher.sessionId, state.statedCount) : undefined
      if (message === undefined) continue
      state.statedCount = message.count
      watcher.presenceChanged(message)
    }
  }
}
