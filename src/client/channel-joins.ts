import { ChannelHandler, type HandlerHost, type Wanted } from './channel-handler.js'
import {
  type ChannelState,
  catchUpMembers,
  createChannelState,
  type JoinMembers,
  joinMembers,
  rewind,
  wantsPresence
} from './channel-state.js'
import { RequestError } from './errors.js'
import type { ClientEvents, Position, PublicationHandler, Subscription, Welcome } from './options.js'
import { positionOf } from './position.js'

/** The channels that a client has joined, or is joining, over all its sessions (PROTOCOL §10.3). */

/** The functions of the client for its channels. */
export interface ChannelsHost extends HandlerHost {
  /** Sends a message in the current session. @returns its `seq`; undefined without a session */
  send(type: 'subscribe' | 'unsubscribe', members: JoinMembers): number | undefined
  emit<Name extends 'subscribed' | 'missed' | 'unsubscribed' | 'direct'>(
    name: Name,
    event: ClientEvents[Name],
    onDropped?: () => void
  ): void
  /** A channel was refused permanently. */
  denied(reason: string): void
  /** Calls {@link ChannelJoins.joinPending} after a delay. */
  retryJoinsAfter(ms: number): void
}

/** Why a channel is refused. An `unsubscribed` has no message. */
export interface Refusal {
  readonly code: string
  readonly message?: string
}

function refusalOf(channel: string, { code, message }: Refusal): RequestError {
  return new RequestError(code, `${code} for channel ${channel}${message === undefined ? '' : `: ${message}`}`)
}

export class ChannelJoins {
  protected readonly host: ChannelsHost
  protected readonly channelStates = new Map<string, ChannelState>()
  /** Names of the channels that the gateway joins at the start of the session. */
  #serverJoined: readonly string[] = []

  constructor(host: ChannelsHost) {
    this.host = host
  }

  /** @param refusal  why the gateway would refuse the request */
  subscribe(channel: string, handler: PublicationHandler<never>, wanted: Wanted, refusal?: RequestError): Subscription {
    const added = new ChannelHandler(this.host, channel, handler, wanted)
    if (refusal === undefined) this.#addHandler(added)
    else {
      added.stop(refusal)
      this.host.denied(refusalOf(channel, refusal).message)
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
    const { channel, cursor, last, wanted } = added
    const known = this.channelStates.get(channel)
    const state = known ?? this.#add(channel, cursor)
    state.handlers.add(added)
    if (known === undefined) this.join(state)
    else if (this.#fitsJoin(state, added)) return
    else if (cursor !== undefined || last !== undefined || wanted.presence) {
      added.fallBehind(state.position)
      if (state.isJoined) this.#catchUp(state, added)
    } else if (state.isJoined && state.position !== undefined) added.join(state.position, false)
  }

  /** Whether an unsent subscribe can include a handler's request. */
  #fitsJoin({ isJoined, joinSeq, position }: ChannelState, { cursor, last }: ChannelHandler): boolean {
    return !isJoined && joinSeq === undefined && cursor === undefined && (last === undefined || position === undefined)
  }

  #add(channel: string, position?: Position): ChannelState {
    const state = createChannelState(channel, position)
    this.channelStates.set(channel, state)
    return state
  }

  #unsubscribe(handler: ChannelHandler): void {
    const { channel } = handler
    handler.stop(new RequestError('CLOSED', `unsubscribed from ${channel}`))
    const state = this.channelStates.get(channel)
    if (state?.handlers.delete(handler) !== true) return
    // Switches presence off.
    const isQuiet = state.handlers.size > 0 && handler.wanted.presence && !wantsPresence(state)
    if (isQuiet && state.isJoined) this.join(state)
    else this.#leaveUnused(state)
  }

  /** Leaves a channel without handlers. */
  #leaveUnused({ channel, handlers }: ChannelState): void {
    if (handlers.size > 0 || this.#serverJoined.includes(channel)) return
    this.channelStates.delete(channel)
    this.host.send('unsubscribe', { channel })
  }

  protected join(state: ChannelState): void {
    state.isJoined = false
    state.joinSeq = this.host.send('subscribe', joinMembers(state))
  }

  /** Requests data for a handler that its channel does not have. Legal on a joined channel. */
  #catchUp(state: ChannelState, handler: ChannelHandler): void {
    handler.fallBehind(state.position)
    handler.catchUpSeq = this.host.send('subscribe', catchUpMembers(state, handler))
  }

  protected catchUpAll(state: ChannelState): void {
    for (const each of state.handlers) if (each.isBehind && each.catchUpSeq === undefined) this.#catchUp(state, each)
  }

  /** Joins all channels in a new session, each from its last position. */
  restart({ subscriptions = [] }: Welcome): void {
    const left = this.#serverJoined
    this.#serverJoined = subscriptions.map(({ channel }) => channel)
    for (const name of left) if (!this.#serverJoined.includes(name)) this.#leaveOwn(name)
    for (const state of this.channelStates.values()) rewind(state)
    for (const { channel, ...rest } of subscriptions) {
      const position = positionOf(rest)
      const { offset, epoch } = position
      const state = this.channelStates.get(channel) ?? this.#add(channel, position)
      state.position ??= position
      state.isJoined = state.position.offset === offset && state.position.epoch === epoch
      if (state.isJoined) for (const handler of state.handlers) this.#enterOwn(handler, position)
    }
    this.joinPending()
  }

  /** The gateway has joined an own channel, without the requests of handlers. */
  #enterOwn(handler: ChannelHandler, position: Position): void {
    if (handler.last !== undefined || handler.wanted.presence) handler.fallBehind(position)
    else handler.join(position, true)
  }

  /** An own channel of another session, or of another client: only its owner may join it. */
  #leaveOwn(channel: string): void {
    const state = this.channelStates.get(channel)
    if (state === undefined) return
    if (state.handlers.size === 0) this.channelStates.delete(channel)
    else this.remove(state, { code: 'PERMISSION_DENIED' }, false)
  }

  /** Joins the channels that are neither joined nor pending. */
  joinPending(): void {
    for (const state of this.channelStates.values()) {
      if (!state.isJoined && state.joinSeq === undefined) this.join(state)
      else if (state.isJoined) this.catchUpAll(state)
    }
  }

  /** Refuses some handlers of a channel; the others stay. */
  protected refuse(state: ChannelState, handlers: readonly ChannelHandler[], refusal: Refusal): void {
    const error = refusalOf(state.channel, refusal)
    for (const handler of handlers) {
      handler.stop(error)
      state.handlers.delete(handler)
    }
    this.#leaveUnused(state)
    this.host.denied(error.message)
  }

  protected remove(state: ChannelState, refusal: Refusal, isReported = true): void {
    const { channel, handlers } = state
    this.channelStates.delete(channel)
    const error = refusalOf(channel, refusal)
    for (const handler of handlers) handler.stop(error)
    this.host.emit('unsubscribed', { channel, code: refusal.code })
    if (isReported) this.host.denied(error.message)
  }

  /** The client was closed or has stopped: pending joins fail, and the channels are joined again after the next `connect`. */
  close(error: RequestError): void {
    for (const { handlers } of this.channelStates.values()) for (const handler of handlers) handler.fail(error)
  }
}
