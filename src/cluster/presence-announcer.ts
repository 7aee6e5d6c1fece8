import { PresenceDelta, presenceChannelOf } from '../session/presence-changes.js'
import type { PresenceChanges } from '../store/presence.js'
import { type Store, StoreUnavailable } from '../store/store.js'

/** Channels whose changes are announced concurrently. */
const announceBatch = 200
/** Corrections of one count. Each follows a change that another instance made and announces meanwhile. */
export const maxCountCorrections = 3

/** Publishes changes of presence for channels with watchers, on any instance. */
export class PresenceAnnouncer {
  readonly #store: Pick<Store, 'presence' | 'channels'>
  readonly #now: () => number

  /** @param now  Unix milliseconds of the steady clock */
  constructor(store: Pick<Store, 'presence' | 'channels'>, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /**
   * Announces changes made by calls of the store, in their order. Announcements are hints: without the store they are
   * dropped.
   */
  async announce(all: readonly PresenceChanges[]): Promise<void> {
    const deltas = [...deltasOf(all)].filter(([, delta]) => !delta.isEmpty)
    for (let i = 0; i < deltas.length; i += announceBatch) {
      const batch = deltas.slice(i, i + announceBatch)
      await Promise.all(batch.map(([channel, delta]) => this.#announce(channel, delta)))
    }
  }

  async #announce(channel: string, delta: PresenceDelta): Promise<void> {
    const { presence, channels } = this.#store
    const name = presenceChannelOf(channel)
    try {
      // It exists while there are watchers, and for a while after.
      if (!(await channels.exists(name))) return
      let count = await presence.count(channel, this.#now())
      await this.#publish(name, delta.encode(count))
      // Another instance may have announced a newer count between the two calls: the last announced count is right.
      for (let i = 0; i < maxCountCorrections; i++) {
        const stated = count
        count = await presence.count(channel, this.#now())
        if (count === stated) return
        await this.#publish(name, new PresenceDelta().encode(count))
      }
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
    }
  }

  async #publish(name: string, data: string): Promise<void> {
    await this.#store.channels.publish(name, data, { publishedAt: this.#now(), idempotencyKey: '' })
  }
}

function deltasOf(all: readonly PresenceChanges[]): ReadonlyMap<string, PresenceDelta> {
  const deltas = new Map<string, PresenceDelta>()
  const deltaOf = (channel: string) => {
    const delta = deltas.get(channel) ?? new PresenceDelta()
    deltas.set(channel, delta)
    return delta
  }
  for (const { joined, left } of all) {
    // An entry that ended and came back in one call did not change.
    for (const who of left) deltaOf(who.channel).leave(who)
    for (const who of joined) deltaOf(who.channel).join(who)
  }
  return deltas
}
