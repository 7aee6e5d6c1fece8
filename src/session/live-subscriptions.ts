import type { Peer } from '../auth/peer.js'
import { maySubscribe, ownChannels } from '../auth/permissions.js'
import type { ChannelBroker, Joined, JoinPoint, Subscriber } from '../channels/types.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import type { Position, StoredPublication } from '../store/channels.js'
import type { SessionDependencies } from './dependencies.js'
import type { PresenceNotifier, PresenceTracker, PresenceWatcher } from './presence.js'
import { publicationMembers } from './publication.js'
import type { Subscriptions } from './subscriptions.js'

type SubscriptionServices = Pick<SessionDependencies, 'channels' | 'presence' | 'presenceNotifier'>

/** Why the gateway ends a subscription. */
export type UnsubscribedCode = 'INSUFFICIENT_STATE' | 'PERMISSION_DENIED'

/** Sends a session's frames about its channels. */
export interface SubscriptionSink extends Pick<PresenceWatcher, 'presenceChanged'> {
  /** @param members  see `publicationMembers` */
  publication(members: string): void
  /** The gateway ended a subscription. */
  unsubscribed(channel: string, code: UnsubscribedCode): void
}

/** A joined channel and its position, as a welcome lists it. */
export type Subscription = Position & { readonly channel: string }

/** The channels of a session that receives publications as they are published. */
export class LiveSubscriptions implements Subscriptions, Subscriber {
  readonly #channels: ChannelBroker
  readonly #presence: PresenceTracker
  readonly #notifier: PresenceNotifier
  /** Created for the first channel whose changes of presence are wanted. */
  #watcher: PresenceWatcher | undefined
  readonly #sink: SubscriptionSink
  readonly #own: readonly string[]
  readonly #joined = new Set<string>()
  /** Joined channels whose `subscribed` has not been sent: none of their frames may precede it. */
  readonly #unannounced = new Set<string>()
  #peer: Peer
  #closed = false

  constructor({ channels, presence, presenceNotifier }: SubscriptionServices, peer: Peer, sink: SubscriptionSink) {
    this.#channels = channels
    this.#presence = presence
    this.#notifier = presenceNotifier
    this.#peer = peer
    this.#own = ownChannels(peer)
    this.#sink = sink
  }

  get count(): number {
    return this.#joined.size - this.#own.filter(channel => this.#joined.has(channel)).length
  }

  /** All joined channels, the session's own two included. */
  get channels(): Iterable<string> {
    return this.#joined
  }

  has(channel: string): boolean {
    return this.#joined.has(channel)
  }

  async join(channel: string, from?: JoinPoint, owners?: string, withPresence = false): Promise<Joined> {
    // First, so that no change is lost between the answer and the first change that is sent.
    if (withPresence) await this.#notifier.watch(channel, this.#getWatcher())
    const joined = await this.#joinChannel(channel, from, owners)
    if (!withPresence || this.#closed) this.#unwatch(channel)
    if (this.#closed) this.#channels.leave(this, channel)
    else {
      this.#requireStillPermitted(channel)
      this.#joined.add(channel)
      this.#unannounced.add(channel)
      this.#presence.joined(this.#peer, channel)
    }
    return joined
  }

  async #joinChannel(channel: string, from?: JoinPoint, owners?: string): Promise<Joined> {
    try {
      return await this.#channels.join(this, channel, from, owners)
    } catch (error) {
      if (!this.#joined.has(channel)) this.#unwatch(channel)
      throw error
    }
  }

  #getWatcher(): PresenceWatcher {
    const { sessionId } = this.#peer
    this.#watcher ??= { sessionId, presenceChanged: message => this.#sink.presenceChanged(message) }
    return this.#watcher
  }

  #unwatch(channel: string): void {
    if (this.#watcher !== undefined) this.#notifier.unwatch(channel, this.#watcher)
  }

  /** The session's capabilities may have been narrowed during the store's call. */
  #requireStillPermitted(channel: string): void {
    if (maySubscribe(this.#peer, channel)) return
    this.leave(channel)
    throw new ProtocolError('PERMISSION_DENIED', `subscribe: no permission for channel ${channel}`)
  }

  leave(channel: string): void {
    this.#forget(channel)
    this.#channels.leave(this, channel)
  }

  #forget(channel: string): void {
    this.#unannounced.delete(channel)
    this.#unwatch(channel)
    if (this.#joined.delete(channel)) this.#presence.left(this.#peer, channel)
  }

  /** Sends the publications since `join`. Call it when the `subscribed` or `welcome` with the channel was sent. */
  release(channel: string): void {
    if (!this.#unannounced.delete(channel)) return
    if (!maySubscribe(this.#peer, channel)) {
      this.#revoke(channel)
      return
    }
    this.#channels.release(this, channel)
    if (this.#watcher !== undefined) this.#notifier.release(channel, this.#watcher)
  }

  /** Joins the session's own channels. Release them after the welcome. @throws StoreUnavailable */
  async joinOwn(): Promise<readonly Subscription[]> {
    const joined = await Promise.all(this.#own.map(channel => this.join(channel)))
    return this.#own.flatMap((channel, i) => {
      const position = joined[i]?.position
      return position === undefined ? [] : [{ channel, ...position }]
    })
  }

  /** Leaves channels that the peer's new capabilities no longer cover. */
  narrow(peer: Peer): void {
    this.#peer = peer
    for (const channel of [...this.#joined]) {
      if (!this.#unannounced.has(channel) && !maySubscribe(peer, channel)) this.#revoke(channel)
    }
  }

  #revoke(channel: string): void {
    this.leave(channel)
    this.#sink.unsubscribed(channel, 'PERMISSION_DENIED')
  }

  /** Leaves all channels when the session ends. */
  close(): void {
    this.#closed = true
    for (const channel of this.#joined) this.leave(channel)
  }

  publication(channel: string, epoch: string, publication: StoredPublication): void {
    this.#sink.publication(publicationMembers(channel, epoch, publication))
  }

  lost(channel: string): void {
    this.#forget(channel)
    this.#sink.unsubscribed(channel, 'INSUFFICIENT_STATE')
  }
}
