import type { DownstreamMessages } from '../protocol/messages.js'
import type { ClientEvents, Publication, Welcome } from './options.js'

/** The channels of a client over all its sessions (PROTOCOL §10.3, §10.4). */

/** Bound of the publications that are buffered while a join is pending. The next recovery delivers dropped ones. */
export const maxBuffered = 1024
/** Delay before a refused subscribe is repeated if the gateway gives none, in milliseconds. */
const retryMs = 1000

export interface Position {
  readonly offset: number
  readonly epoch: string
}

export type PublicationHandler = (publication: Publication) => void

/** A channel that a client keeps joined until {@link Subscription.unsubscribe}. */
export interface Subscription {
  readonly channel: string
  /** The position of the last publication that was delivered; undefined before the first join. */
  readonly position: Position | undefined
  unsubscribe(): void
}

interface ChannelState {
  readonly channel: string
  handler: PublicationHandler
  position: Position | undefined
  isJoined: boolean
  /** The `seq` of the pending subscribe. */
  joinSeq: number | undefined
  /** Publications that arrived while the subscribe is pending. */
  buffered: Publication[]
}

/** The functions of the client that its channels use. */
export interface ChannelsHost {
  /** Sends a message in the current session. @returns its `seq`; undefined without a session */
  send(message: { readonly type: string; readonly [member: string]: unknown }): number | undefined
  emit<Name extends 'subscribed' | 'missed' | 'unsubscribed' | 'direct'>(name: Name, event: ClientEvents[Name]): void
  /** Calls {@link ClientChannels.joinPending} after a delay. */
  retryJoinsAfter(ms: number): void
}

export class ClientChannels {
  readonly #host: ChannelsHost
  readonly #channels = new Map<string, ChannelState>()
  /** Names of the channels that the gateway joins at the start of the session. */
  #serverJoined: readonly string[] = []

  constructor(host: ChannelsHost) {
    this.#host = host
  }

  /** @throws Error if the channel has a subscription already */
  subscribe(channel: string, handler: PublicationHandler, recover: Position | undefined): Subscription {
    const known = this.#channels.get(channel)
    const isServerJoined = this.#serverJoined.includes(channel)
    if (known !== undefined && !isServerJoined) throw new Error(`${channel}: the channel has a subscription already`)
    const state = known ?? this.#add(channel, handler)
    state.handler = handler
    if (recover !== undefined) state.position = recover
    if (!state.isJoined || recover !== undefined) this.#join(state)
    return {
      channel,
      get position() {
        return state.position
      },
      unsubscribe: () => this.#unsubscribe(state)
    }
  }

  #add(channel: string, handler: PublicationHandler, position?: Position): ChannelState {
    const state: ChannelState = {
      channel,
      handler,
      position,
      isJoined: false,
      joinSeq: undefined,
      buffered: []
    }
    this.#channels.set(channel, state)
    return state
  }

  #unsubscribe(state: ChannelState): void {
    if (this.#channels.get(state.channel) !== state) return
    if (this.#serverJoined.includes(state.channel)) state.handler = this.#emitDirect
    else {
      this.#channels.delete(state.channel)
      this.#host.send({ type: 'unsubscribe', channel: state.channel })
    }
  }

  readonly #emitDirect: PublicationHandler = publication => this.#host.emit('direct', publication)

  #join(state: ChannelState): void {
    const { channel, position } = state
    state.isJoined = false
    const recover = position === undefined ? {} : { recover: position }
    state.joinSeq = this.#host.send({ type: 'subscribe', channel, ...recover })
  }

  // ── Sessions and messages ──────────────────────────────────────────────────────────────────────────────────────────

  /** Joins all channels in a new session, each from its last position. */
  restart({ subscriptions = [] }: Welcome): void {
    const left = this.#serverJoined.filter(name => name.startsWith('session:'))
    this.#serverJoined = subscriptions.map(({ channel }) => channel)
    for (const name of left) if (!this.#serverJoined.includes(name)) this.#channels.delete(name)
    for (const state of this.#channels.values()) {
      Object.assign(state, { isJoined: false, joinSeq: undefined, buffered: [] })
    }
    for (const { channel, offset, epoch } of subscriptions) {
      const position = { offset, epoch }
      const state = this.#channels.get(channel) ?? this.#add(channel, this.#emitDirect, position)
      state.position ??= position
      state.isJoined = state.position.offset === offset && state.position.epoch === epoch
    }
    this.joinPending()
  }

  /** Joins the channels that are neither joined nor pending. */
  joinPending(): void {
    for (const state of this.#channels.values()) if (!state.isJoined && state.joinSeq === undefined) this.#join(state)
  }

  receive(message: DownstreamMessages['publication' | 'subscribed' | 'unsubscribed']): void {
    if (message.type === 'publication') this.#onPublication(message)
    else if (message.type === 'subscribed') this.#subscribed(message)
    else this.#unsubscribed(message)
  }

  #onPublication(message: DownstreamMessages['publication']): void {
    const { channel, offset, epoch, data, publishedAt, publisher } = message
    const state = this.#channels.get(channel)
    if (state === undefined) return
    const by = publisher === undefined ? {} : { publisher }
    const publication = { channel, offset, epoch, data, publishedAt, ...by }
    if (state.isJoined) this.#deliver(state, publication)
    else this.#buffer(state, publication)
  }

  #buffer(state: ChannelState, publication: Publication): void {
    if (state.buffered.length < maxBuffered) state.buffered.push(publication)
  }

  /** Delivers the next publication and drops an old one. Any other proves a gap (PROTOCOL §10.4). */
  #deliver(state: ChannelState, publication: Publication): void {
    const { position } = state
    const { offset, epoch } = publication
    if (position?.epoch === epoch && offset <= position.offset) return
    if (position?.epoch === epoch && offset === position.offset + 1) {
      state.position = { offset, epoch }
      state.handler(publication)
      return
    }
    this.#join(state)
    this.#buffer(state, publication)
  }

  #subscribed(message: DownstreamMessages['subscribed']): void {
    const { re, channel, offset, epoch, recovered, publications = [] } = message
    const state = this.#channels.get(channel)
    if (state === undefined || state.joinSeq !== re) return
    state.joinSeq = undefined
    const previous = state.position
    if (!recovered) state.position = { offset, epoch }
    state.isJoined = true
    this.#host.emit('subscribed', { channel, offset, epoch, recovered })
    if (previous !== undefined && !recovered) this.#host.emit('missed', { channel })
    const { buffered } = state
    state.buffered = []
    for (const each of publications) this.#redeliver(state, { channel, epoch, ...each })
    for (const each of buffered) {
      // After a recovery all publications follow in order, so one behind a gap is delivered again (PROTOCOL §10.3).
      const isNext = state.position?.epoch === each.epoch && state.position.offset + 1 === each.offset
      if (!recovered || isNext) this.#redeliver(state, each)
    }
  }

  /** Delivers a recovered or buffered publication. A handler may have unsubscribed, or another gap was detected. */
  #redeliver(state: ChannelState, publication: Publication): void {
    if (this.#channels.get(state.channel) !== state) return
    if (state.isJoined) this.#deliver(state, publication)
    else this.#buffer(state, publication)
  }

  #unsubscribed({ channel, code }: DownstreamMessages['unsubscribed']): void {
    const state = this.#channels.get(channel)
    if (state === undefined) return
    if (code === 'INSUFFICIENT_STATE') {
      if (state.joinSeq === undefined) this.#join(state)
    } else this.#remove(state, code)
  }

  #remove(state: ChannelState, code: string): void {
    this.#channels.delete(state.channel)
    this.#host.emit('unsubscribed', { channel: state.channel, code })
  }

  /** An error answers the request `re`. @returns whether that was a subscribe */
  onRefused(re: number | undefined, code: string, retryAfterMs = retryMs): boolean {
    const state = [...this.#channels.values()].find(each => each.joinSeq !== undefined && each.joinSeq === re)
    if (state === undefined) return false
    state.joinSeq = undefined
    if (code === 'UNAVAILABLE' || code === 'RATE_LIMITED') this.#host.retryJoinsAfter(retryAfterMs)
    else this.#remove(state, code)
    return true
  }
}
