import type { DownstreamMessages } from '../protocol/messages.js'
import type { ChannelHandler } from './channel-handler.js'
import { ChannelJoins, type Refusal } from './channel-joins.js'
import { bufferPublication, type ChannelState } from './channel-state.js'
import type { Publication } from './options.js'
import { isAfter, isNext, positionOf } from './position.js'
import type { ChannelMessage } from './session-host.js'

/** Delay before a refused subscribe is repeated if the gateway names none, in milliseconds. */
const retryMs = 1000

/** The channels of a client over all its sessions, and their incoming messages (PROTOCOL §10.3, §10.4). */
export class ClientChannels extends ChannelJoins {
  receive(message: ChannelMessage): void {
    const state = this.channelStates.get(message.channel)
    if (state === undefined) return
    switch (message.type) {
      case 'publication': {
        const { type: _type, seq: _seq, ...publication } = message
        this.#redeliver(state, publication)
        return
      }
      case 'subscribed':
        this.#subscribed(state, message)
        return
      case 'presenceChanged': {
        const { channel, count, joined, left } = message
        for (const handler of state.handlers) handler.presenceChanged({ channel, count, joined, left })
        return
      }
      case 'unsubscribed':
        if (message.code !== 'INSUFFICIENT_STATE') this.remove(state, message)
        else if (state.joinSeq === undefined) this.join(state)
    }
  }

  /** Delivers the next publication and drops an old one. Any other proves a gap (PROTOCOL §10.4). */
  #deliver(state: ChannelState, publication: Publication): void {
    const { position } = state
    if (!isAfter(state.position, publication)) for (const handler of state.handlers) handler.acceptOld(publication)
    else if (isNext(state.position, publication)) {
      state.position = positionOf(publication)
      for (const handler of state.handlers) handler.accept(publication)
      const rewind = () => {
        state.position = position
      }
      if (state.handlers.size === 0) this.host.emit('direct', publication, rewind)
    } else {
      this.join(state)
      bufferPublication(state, publication)
    }
  }

  #subscribed(state: ChannelState, message: DownstreamMessages['subscribed']): void {
    const { re, channel, offset, epoch, recovered, publications = [] } = message
    if (re === undefined) return
    if (state.joinSeq !== re) {
      const handler = [...state.handlers].find(({ catchUpSeq }) => catchUpSeq === re)
      if (handler !== undefined) this.#caughtUp(state, handler, message)
      return
    }
    state.joinSeq = undefined
    const previous = state.position
    const position = positionOf(message)
    if (!recovered) state.position = position
    state.isJoined = true
    this.host.emit('subscribed', { channel, offset, epoch, recovered })
    if (previous !== undefined && !recovered) this.host.emit('missed', { channel })
    for (const handler of state.handlers) {
      if (handler.isBehind) continue
      if (handler.last === undefined) handler.join(position, recovered)
      else handler.joinLast(message)
    }
    const { buffered } = state
    state.buffered = []
    if (recovered) for (const each of publications) this.#redeliver(state, { channel, epoch, ...each })
    for (const each of buffered) {
      // After a recovery all publications follow in order, so one behind a gap is delivered again (PROTOCOL §10.3).
      if (!recovered || isNext(state.position, each)) this.#redeliver(state, each)
    }
    this.catchUpAll(state)
  }

  #caughtUp(state: ChannelState, handler: ChannelHandler, message: DownstreamMessages['subscribed']): void {
    const { channel, recovered } = message
    const isMiss = !recovered && handler.last === undefined
    handler.catchUp(message, state.position ?? positionOf(message))
    if (isMiss) this.host.emit('missed', { channel })
    // The gateway continues after the position of its answer: the other handlers recover the publications in between.
    if (state.isJoined && isAfter(state.position, message)) this.join(state)
  }

  /** Delivers a publication, or buffers it while a join is pending. */
  #redeliver(state: ChannelState, publication: Publication): void {
    if (state.isJoined) this.#deliver(state, publication)
    else bufferPublication(state, publication)
  }

  /** An error answers the request `re`. @returns whether that was a subscribe */
  onRefused(error: DownstreamMessages['error']): boolean {
    const { re, code, retryAfterMs = retryMs } = error
    if (re === undefined) return false
    for (const state of this.channelStates.values()) {
      const handler = [...state.handlers].find(({ catchUpSeq }) => catchUpSeq === re)
      if (state.joinSeq !== re && handler === undefined) continue
      if (state.joinSeq === re) state.joinSeq = undefined
      if (handler !== undefined) handler.catchUpSeq = undefined
      if (code === 'UNAVAILABLE' || code === 'RATE_LIMITED') this.host.retryJoinsAfter(retryAfterMs)
      else this.#refuse(state, handler, error)
      return true
    }
    return false
  }

  /** Only the requests of some handlers may be refused: the others join without them. */
  #refuse(state: ChannelState, handler: ChannelHandler | undefined, refusal: Refusal): void {
    if (handler !== undefined && (handler.last !== undefined || handler.wanted.presence)) {
      this.refuse(state, [handler], refusal)
      return
    }
    const asking = [...state.handlers].filter(({ wanted }) => wanted.presence)
    if (handler === undefined && asking.length > 0 && asking.length < state.handlers.size) {
      this.refuse(state, asking, refusal)
      this.join(state)
    } else this.remove(state, refusal)
  }
}
