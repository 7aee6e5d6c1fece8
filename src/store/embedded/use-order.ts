import type { Channel } from './channel-entry.js'
import { LinkedList } from './linked-list.js'

/** Eviction order: never published, then idle, then joined; each least recently used first. */
export class UseOrder {
  // Least recently used first.
  readonly #unpublished = new LinkedList<Channel>()
  readonly #idle = new LinkedList<Channel>()
  readonly #listenedTo = new LinkedList<Channel>()
  readonly #listening = new Set<string>()

  /** Whether a channel of this name has a listener, known or not. */
  isListening(name: string): boolean {
    return this.#listening.has(name)
  }

  isListenedTo({ list }: Readonly<Channel>): boolean {
    return list === this.#listenedTo
  }

  /** @param channel  of this name, if there is one */
  listen(name: string, channel: Channel | undefined): void {
    this.#listening.add(name)
    if (channel !== undefined) this.sort(channel)
  }

  /** @param channel  of this name, if there is one */
  unlisten(name: string, channel: Channel | undefined): void {
    this.#listening.delete(name)
    if (channel !== undefined) this.sort(channel)
  }

  /** Moves a channel to its list, or adds it, as the most recently used. */
  sort(channel: Channel): void {
    const list = this.#listOf(channel)
    if (list === channel.list) return
    channel.list?.remove(channel)
    channel.list = list
    list.push(channel)
  }

  use(channel: Channel): void {
    channel.list?.moveToEnd(channel)
  }

  remove(channel: Channel): void {
    channel.list?.remove(channel)
    channel.list = undefined
  }

  /** Channels without listeners, by kind in order of use. */
  get quiet(): readonly Iterable<Channel>[] {
    return [this.#unpublished, this.#idle]
  }

  /** The next to evict. @param inUse  never evicted */
  oldest(inUse: Channel): Channel | undefined {
    const firsts = [this.#unpublished.first, this.#idle.first, this.#listenedTo.first]
    return firsts.find(channel => channel !== undefined && channel !== inUse)
  }

  #listOf({ name, offset }: Channel): LinkedList<Channel> {
    if (this.#listening.has(name)) return this.#listenedTo
    return offset === 0 ? this.#unpublished : this.#idle
  }
}
