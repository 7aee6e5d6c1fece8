import { ownChannels } from '../auth/permissions.js'
import type { ChannelBroker, Joined, Subscriber } from '../channels/types.js'
import type { PresenceTracker } from '../cluster/presence.js'
import type { Position, StoredPublication } from '../store/channels.js'
import type { Peer } from './peer.js'
import { publicationMembers } from './publication.js'
import type { Subscriptions } from './subscriptions.js'

/** How a session is told of what comes of its channels. */
export interface Down {
  /** @param members  see `publicationMembers` */
  publication(members: string): void
  unsubscribed(channel: string): void
}

/** A position as a welcome tells it. */
export type Subscription = Position & { readonly channel: string }

/** The channels of a session that is told of publications as they come. */
export class LiveSubscriptions implements Subscriptions, Subscriber {
  readonly #channels: ChannelBroker
  readonly #presence: PresenceTracker
  readonly #peer: Peer
  readonly #down: Down
  readonly #own: readonly string[]
  readonly #joined = new Set<string>()
  #closed = false

  constructor(channels: ChannelBroker, presence: PresenceTracker, peer: Peer, down: Down) {
    this.#channels = channels
    this.#presence = presence
    this.#peer = peer
    this.#own = ownChannels(peer)
    this.#down = down
  }

  get count(): number {
    return this.#joined.size - this.#own.filter(channel => this.#joined.has(channel)).length
  }

  /** All that are joined, the session's own two among them. */
  get channels(): Iterable<string> {
    return this.#joined
  }

  has(channel: string): boolean {
    return this.#joined.has(channel)
  }

  async join(channel: string, recover?: Position): Promise<Joined> {
    const joined = await this.#channels.join(this, channel, recover)
    if (this.#closed) this.#channels.leave(this, channel)
    else {
      this.#joined.add(channel)
      this.#presence.joined(this.#peer, channel)
    }
    return joined
  }

  leave(channel: string): void {
    this.#forget(channel)
    this.#channels.leave(this, channel)
  }

  #forget(channel: string): void {
    if (this.#joined.delete(channel)) this.#presence.left(this.#peer, channel)
  }

  /** The peer has been told that it joined: what came since follows. */
  release(channel: string): void {
    this.#channels.release(this, channel)
  }

  /** Joins the session's own channels. They are to be released after the welcome. @throws StoreUnavailable */
  async joinOwn(): Promise<Subscription[]> {
    const joined = await Promise.all(this.#own.map(channel => this.join(channel)))
    return this.#own.flatMap((channel, i) => {
      const position = joined[i]?.position
      return position === undefined ? [] : [{ channel, ...position }]
    })
  }

  /** The session is over. */
  close(): void {
    this.#closed = true
    for (const channel of this.#joined) this.leave(channel)
  }

  publication(channel: string, epoch: string, publication: StoredPublication): void {
    this.#down.publication(publicationMembers(channel, epoch, publication))
  }

  lost(channel: string): void {
    this.#forget(channel)
    this.#down.unsubscribed(channel)
  }
}
