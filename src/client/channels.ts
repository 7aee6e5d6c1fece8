import type { DownstreamMessages } from '../protocol/messages.js'
import type { ClientEvents, Publication, Welcome } from './options.js'

/** What a client has joined, over all its sessions (PROTOCOL §10.3, §10.4). */

/** Publications held for one channel while it is being joined. Beyond, they are dropped: they come again, or are missed. */
export const maxHeld = 1024
/** When to ask again where the gateway cannot answer now and does not say when, in milliseconds. */
const retryMs = 1000

export interface Position {
  readonly offset: number
  readonly epoch: string
}

export type PublicationHandler = (publication: Publication) => void

/** A channel that a client keeps joined until {@link Subscription.unsubscribe}. */
export interface Subscription {
  readonly channel: string
  /** The last publication that was handed over; nothing before the channel was joined for the first time. */
  readonly position: Position | undefined
  unsubscribe(): void
}

interface Wanted {
  readonly channel: string
  handler: PublicationHandler
  position: Position | undefined
  isJoined: boolean
  /** The seq of the subscribe that is under way. */
  asked: number | undefined
  held: Publication[]
}

/** The client's side of it: what is sent and told, and when to ask again. */
export interface ChannelsHost {
  /** Sends where there is a session. @returns the frame's seq */
  send(message: { readonly type: string; readonly [member: string]: unknown }): number | undefined
  emit<Name extends 'subscribed' | 'missed' | 'unsubscribed' | 'direct'>(name: Name, event: ClientEvents[Name]): void
  askAgainIn(ms: number): void
}

export class ClientChannels {
  readonly #host: ChannelsHost
  readonly #wanted = new Map<string, Wanted>()
  #own: readonly string[] = []

  constructor(host: ChannelsHost) {
    this.#host = host
  }

  /** @throws Error where the channel is subscribed to already */
  subscribe(channel: string, handler: PublicationHandler, recover: Position | undefined): Subscription {
    const known = this.#wanted.get(channel)
    const isOwn = this.#own.includes(channel)
    if (known !== undefined && !isOwn) throw new Error(`${channel} is subscribed to already`)
    const wanted = known ?? this.#want(channel, handler)
    wanted.handler = handler
    if (recover !== undefined) wanted.position = recover
    if (!wanted.isJoined || recover !== undefined) this.#ask(wanted)
    return {
      channel,
      get position() {
        return wanted.position
      },
      unsubscribe: () => this.#unsubscribe(wanted)
    }
  }

  #want(channel: string, handler: PublicationHandler, position?: Position): Wanted {
    const wanted: Wanted = {
      channel,
      handler,
      position,
      isJoined: false,
      asked: undefined,
      held: []
    }
    this.#wanted.set(channel, wanted)
    return wanted
  }

  #unsubscribe(wanted: Wanted): void {
    if (this.#wanted.get(wanted.channel) !== wanted) return
    if (this.#own.includes(wanted.channel)) wanted.handler = this.#direct
    else {
      this.#wanted.delete(wanted.channel)
      this.#host.send({ type: 'unsubscribe', channel: wanted.channel })
    }
  }

  readonly #direct: PublicationHandler = publication => this.#host.emit('direct', publication)

  #ask(wanted: Wanted): void {
    const { channel, position } = wanted
    wanted.isJoined = false
    const recover = position === undefined ? {} : { recover: position }
    wanted.asked = this.#host.send({ type: 'subscribe', channel, ...recover })
  }

  // ── What a session brings ──────────────────────────────────────────────────────────────────────────────────────────

  /** A new session: everything is joined in it again, from where it was. */
  restart({ subscriptions = [] }: Welcome): void {
    const left = this.#own.filter(name => name.startsWith('session:'))
    this.#own = subscriptions.map(({ channel }) => channel)
    for (const name of left) if (!this.#own.includes(name)) this.#wanted.delete(name)
    for (const wanted of this.#wanted.values()) {
      Object.assign(wanted, { isJoined: false, asked: undefined, held: [] })
    }
    for (const { channel, offset, epoch } of subscriptions) {
      const position = { offset, epoch }
      const wanted = this.#wanted.get(channel) ?? this.#want(channel, this.#direct, position)
      wanted.position ??= position
      wanted.isJoined = wanted.position.offset === offset && wanted.position.epoch === epoch
    }
    this.askAgain()
  }

  /** Joins what is not joined and not about to be. */
  askAgain(): void {
    for (const wanted of this.#wanted.values()) if (!wanted.isJoined && wanted.asked === undefined) this.#ask(wanted)
  }

  receive(message: DownstreamMessages['publication' | 'subscribed' | 'unsubscribed']): void {
    if (message.type === 'publication') this.#take(message)
    else if (message.type === 'subscribed') this.#subscribed(message)
    else this.#unsubscribed(message)
  }

  #take({ channel, offset, epoch, data, publishedAt }: DownstreamMessages['publication']): void {
    const wanted = this.#wanted.get(channel)
    if (wanted === undefined) return
    const publication = { channel, offset, epoch, data, publishedAt }
    if (wanted.isJoined) this.#deliver(wanted, publication)
    else this.#hold(wanted, publication)
  }

  #hold(wanted: Wanted, publication: Publication): void {
    if (wanted.held.length < maxHeld) wanted.held.push(publication)
  }

  /** PROTOCOL §10.4: the next one is delivered, an old one dropped; anything else is a loss. */
  #deliver(wanted: Wanted, publication: Publication): void {
    const { position } = wanted
    const { offset, epoch } = publication
    if (position?.epoch === epoch && offset <= position.offset) return
    if (position?.epoch === epoch && offset === position.offset + 1) {
      wanted.position = { offset, epoch }
      wanted.handler(publication)
      return
    }
    this.#ask(wanted)
    this.#hold(wanted, publication)
  }

  #subscribed(message: DownstreamMessages['subscribed']): void {
    const { re, channel, offset, epoch, recovered, publications = [] } = message
    const wanted = this.#wanted.get(channel)
    if (wanted === undefined || wanted.asked !== re) return
    wanted.asked = undefined
    const before = wanted.position
    if (!recovered) wanted.position = { offset, epoch }
    wanted.isJoined = true
    this.#host.emit('subscribed', { channel, offset, epoch, recovered })
    if (before !== undefined && !recovered) this.#host.emit('missed', { channel })
    const { held } = wanted
    wanted.held = []
    for (const each of publications) this.#again(wanted, { channel, epoch, ...each })
    for (const each of held) {
      // Recovered, everything follows in order (PROTOCOL §10.3): what was held beyond a hole comes once more.
      const isNext = wanted.position?.epoch === each.epoch && wanted.position.offset + 1 === each.offset
      if (!recovered || isNext) this.#again(wanted, each)
    }
  }

  /** Hands over what waited; where a handler has left or another hole was found it goes on waiting, or is dropped. */
  #again(wanted: Wanted, publication: Publication): void {
    if (this.#wanted.get(wanted.channel) !== wanted) return
    if (wanted.isJoined) this.#deliver(wanted, publication)
    else this.#hold(wanted, publication)
  }

  #unsubscribed({ channel, code }: DownstreamMessages['unsubscribed']): void {
    const wanted = this.#wanted.get(channel)
    if (wanted === undefined) return
    if (code === 'INSUFFICIENT_STATE') {
      if (wanted.asked === undefined) this.#ask(wanted)
    } else this.#drop(wanted, code)
  }

  #drop(wanted: Wanted, code: string): void {
    this.#wanted.delete(wanted.channel)
    this.#host.emit('unsubscribed', { channel: wanted.channel, code })
  }

  /** An error in answer to a subscribe. @returns whether it was one */
  fail(re: number | undefined, code: string, retryAfterMs = retryMs): boolean {
    const wanted = [...this.#wanted.values()].find(each => each.asked !== undefined && each.asked === re)
    if (wanted === undefined) return false
    wanted.asked = undefined
    if (code === 'UNAVAILABLE' || code === 'RATE_LIMITED') this.#host.askAgainIn(retryAfterMs)
    else this.#drop(wanted, code)
    return true
  }
}
