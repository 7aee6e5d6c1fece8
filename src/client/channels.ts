import type { DownstreamMessages } from '../protocol/messages.js'
import { bufferPublication, type ChannelState, createChannelState, rewind } from './channel-state.js'
import { RequestError } from './errors.js'
import type { ClientEvents, Position, Publication, PublicationHandler, Subscription, Welcome } from './options.js'
import { ChannelHandler, type HandlerHost, isAfter, isNext } from './subscription.js'

/** The channels of a client over all its sessions (PROTOCOL §10.3, §10.4). */

/** Delay before a refused subscribe is repeated if the gateway gives none, in milliseconds. */
const retryMs = 1000

/** The functions of the client that its channels use. */
export interface ChannelsHost extends HandlerHost {
  /** Sends a message in the current session. @returns its `seq`; undefined without a session */
  send(type: 'subscribe' | 'unsubscribe', members: { channel: string; recover?: Position }): number | undefined
  emit<Name extends 'subscribed' | 'missed' | 'unsubscribed' | 'direct'>(name: Name, event: ClientEvents[Name]): void
  /** A channel was refused for good. */
  denied(channel: string, code: string): void
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

  /**
   * @param recover  the position after which the handler wants every publication
   * @param refusal  why the request is not sent
   */
  subscribe(
    channel: string,
    handler: PublicationHandler<never>,
    recover: Position | undefined,
    refusal?: RequestError
  ): Subscription {
    const added = new ChannelHandler(this.#host, channel, handler, recover)
    if (refusal === undefined) this.#addHandler(added)
    else {
      added.stop(refusal)
      this.#host.emit('unsubscribed', { channel, code: refusal.code })
      this.#host.denied(channel, refusal.code)
    }
    return {
      channel,
      ready: added.ready,
      get position() {
        return added.position
      },
      unsubscribe: () => this.#unsubscribe(added)
    }
  }

  #addHandler(added: ChannelHandler): void {
    const { channel, cursor } = added
    const known = this.#channels.get(channel)
    const state = known ?? this.#add(channel, cursor)
    state.handlers.add(added)
    if (known === undefined) this.#join(state)
    else if (cursor !== undefined) {
      added.fallBehind()
      if (state.isJoined) this.#catchUp(added)
    } else if (state.isJoined && state.position !== undefined) added.join(state.position, false)
  }

  #add(channel: string, position?: Position): ChannelState {
    const state = createChannelState(channel, position)
    this.#channels.set(channel, state)
    return state
  }

  #unsubscribe(handler: ChannelHandler): void {
    const { channel } = handler
    if (!handler.isActive) return
    handler.stop(new RequestError('CLOSED', `unsubscribed from ${channel}`))
    const state = this.#channels.get(channel)
    if (state?.handlers.delete(handler) !== true || state.handlers.size > 0) return
    if (this.#serverJoined.includes(channel)) return
    this.#channels.delete(channel)
    this.#host.send('unsubscribe', { channel })
  }

  #join(state: ChannelState): void {
    const { channel, position } = state
    state.isJoined = false
    state.joinSeq = this.#host.send('subscribe', { channel, ...(position === undefined ? {} : { recover: position }) })
  }

  /** Asks for what a handler wants from before the channel's position. It is legal on a joined channel. */
  #catchUp(handler: ChannelHandler): void {
    const { channel, cursor } = handler
    if (cursor === undefined) return
    const { offset, epoch } = cursor
    handler.catchUpSeq = this.#host.send('subscribe', { channel, recover: { offset, epoch } })
  }

  /** The client was closed: what waits for a join fails, and the channels are joined again after the next `connect`. */
  close(error: RequestError): void {
    for (const { handlers } of this.#channels.values()) for (const handler of handlers) handler.fail(error)
  }

  // ── Sessions and messages ──────────────────────────────────────────────────────────────────────────────────────────

  /** Joins all channels in a new session, each from its last position. */
  restart({ subscriptions = [] }: Welcome): void {
    const left = this.#serverJoined
    this.#serverJoined = subscriptions.map(({ channel }) => channel)
    for (const name of left) if (!this.#serverJoined.includes(name)) this.#leaveOwn(name)
    for (const state of this.#channels.values()) rewind(state)
    for (const { channel, offset, epoch } of subscriptions) {
      const position = { offset, epoch }
      const state = this.#channels.get(channel) ?? this.#add(channel, position)
      state.position ??= position
      state.isJoined = state.position.offset === offset && state.position.epoch === epoch
      if (state.isJoined) for (const handler of state.handlers) handler.join(position, true)
    }
    this.joinPending()
  }

  /** An own channel of another session, or of another client: nobody else may join it. */
  #leaveOwn(channel: string): void {
    const state = this.#channels.get(channel)
    if (state === undefined) return
    if (state.handlers.size === 0) this.#channels.delete(channel)
    else this.#remove(state, 'PERMISSION_DENIED', false)
  }

  /** Joins the channels that are neither joined nor pending. */
  joinPending(): void {
    for (const state of this.#channels.values()) {
      if (!state.isJoined && state.joinSeq === undefined) this.#join(state)
      else if (state.isJoined) this.#catchUpAll(state)
    }
  }

  #catchUpAll(state: ChannelState): void {
    for (const each of state.handlers) if (each.isBehind && each.catchUpSeq === undefined) this.#catchUp(each)
  }

  receive(message: DownstreamMessages['publication' | 'subscribed' | 'unsubscribed']): void {
    const state = this.#channels.get(message.channel)
    if (state === undefined) return
    if (message.type === 'publication') {
      const { channel, offset, epoch, data, publishedAt, publisher } = message
      const by = publisher === undefined ? {} : { publisher }
      this.#redeliver(state, { channel, offset, epoch, data, publishedAt, ...by })
    } else if (message.type === 'subscribed') this.#subscribed(state, message)
    else this.#unsubscribed(state, message)
  }

  /** Delivers the next publication and drops an old one. Any other proves a gap (PROTOCOL §10.4). */
  #deliver(state: ChannelState, publication: Publication): void {
    const { offset, epoch } = publication
    if (!isAfter(state.position, publication)) for (const handler of state.handlers) handler.acceptOld(publication)
    else if (isNext(state.position, publication)) {
      state.position = { offset, epoch }
      for (const handler of state.handlers) handler.accept(publication)
      if (state.handlers.size === 0) this.#host.emit('direct', publication)
    } else {
      this.#join(state)
      bufferPublication(state, publication)
    }
  }

  #subscribed(state: ChannelState, message: DownstreamMessages['subscribed']): void {
    const { re, channel, offset, epoch, recovered, publications = [] } = message
    if (re === undefined) return
    if (state.joinSeq !== re) {
      const handler = [...state.handlers].find(({ catchUpSeq }) => catchUpSeq === re)
      handler?.catchUp(message, state.position ?? { offset, epoch })
      if (handler !== undefined && !recovered) this.#host.emit('missed', { channel })
      return
    }
    state.joinSeq = undefined
    const previous = state.position
    if (!recovered) state.position = { offset, epoch }
    state.isJoined = true
    this.#host.emit('subscribed', { channel, offset, epoch, recovered })
    if (previous !== undefined && !recovered) this.#host.emit('missed', { channel })
    for (const handler of state.handlers) if (!handler.isBehind) handler.join({ offset, epoch }, recovered)
    const { buffered } = state
    state.buffered = []
    for (const each of publications) this.#redeliver(state, { channel, epoch, ...each })
    for (const each of buffered) {
      // After a recovery all publications follow in order, so one behind a gap is delivered again (PROTOCOL §10.3).
      if (!recovered || isNext(state.position, each)) this.#redeliver(state, each)
    }
    this.#catchUpAll(state)
  }

  /** Delivers a publication, or buffers it while a join is pending. */
  #redeliver(state: ChannelState, publication: Publication): void {
    if (state.isJoined) this.#deliver(state, publication)
    else bufferPublication(state, publication)
  }

  #unsubscribed(state: ChannelState, { code }: DownstreamMessages['unsubscribed']): void {
    if (code !== 'INSUFFICIENT_STATE') this.#remove(state, code)
    else if (state.joinSeq === undefined) this.#join(state)
  }

  #remove(state: ChannelState, code: string, isReported = true): void {
    const { channel, handlers } = state
    this.#channels.delete(channel)
    const error = new RequestError(code, `${code} for channel ${channel}`)
    for (const handler of handlers) handler.stop(error)
    this.#host.emit('unsubscribed', { channel, code })
    if (isReported) this.#host.denied(channel, code)
  }

  /** An error answers the request `re`. @returns whether that was a subscribe */
  onRefused(re: number | undefined, code: string, retryAfterMs = retryMs): boolean {
    if (re === undefined) return false
    for (const state of this.#channels.values()) {
      const handler = [...state.handlers].find(({ catchUpSeq }) => catchUpSeq === re)
      if (state.joinSeq !== re && handler === undefined) continue
      if (state.joinSeq === re) state.joinSeq = undefined
      if (handler !== undefined) handler.catchUpSeq = undefined
      if (code === 'UNAVAILABLE' || code === 'RATE_LIMITED') this.#host.retryJoinsAfter(retryAfterMs)
      else this.#remove(state, code)
      return true
    }
    return false
  }
}
