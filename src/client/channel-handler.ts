import type { DownstreamMessages } from '../protocol/messages.js'
import type { PresenceChange } from './answers.js'
import type { RequestError } from './errors.js'
import type { Joined, Position, Publication, PublicationHandler } from './options.js'
import { isAfter, isNext, positionOf } from './position.js'

/** One handler of a channel. */

/** Bound of the publications that are buffered while a join is pending. The next recovery delivers dropped ones. */
export const maxBuffered = 1024

/** The request of a handler: everything after a position, or the newest publications; and changes of presence. */
export interface Wanted {
  readonly recover: Position | undefined
  readonly last: number | undefined
  readonly presence: boolean
  readonly onPresence: ((change: PresenceChange) => unknown) | undefined
}

export interface HandlerHost {
  /** Queues a call that must not throw. `onDropped` is called instead if the client is closed before. */
  dispatch(call: () => void, onDropped?: () => void): void
  /** Calls a handler of the application safely. */
  call(handler: () => unknown, channel: string): void
}

/** The state of a handler: its position, and its progress in catching up with its channel. */
export class ChannelHandler {
  readonly channel: string
  readonly wanted: Wanted
  readonly ready: Promise<Joined>
  readonly #host: HandlerHost
  readonly #handler: PublicationHandler<never>
  #resolve: (joined: Joined) => void = () => {}
  #reject: (error: RequestError) => void = () => {}
  #cursor: Position | undefined
  #position: Position | undefined
  #last: number | undefined
  #isActive = true
  /** Set while the handler wants publications from before the channel's own position. */
  #buffered: Publication[] | undefined
  /** The `seq` of the subscribe that catches up. */
  catchUpSeq: number | undefined

  constructor(host: HandlerHost, channel: string, handler: PublicationHandler<never>, wanted: Wanted) {
    this.#host = host
    this.channel = channel
    this.wanted = wanted
    this.#handler = handler
    this.#cursor = wanted.recover
    this.#position = wanted.recover
    this.#last = wanted.last
    this.ready = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // A caller may ignore `ready`.
    this.ready.catch(() => {})
  }

  /** Position of the last publication that was queued for the handler. */
  get cursor(): Position | undefined {
    return this.#cursor
  }

  get position(): Position | undefined {
    return this.#position
  }

  /** Number of the newest publications that it still requests. */
  get last(): number | undefined {
    return this.#last
  }

  get isBehind(): boolean {
    return this.#buffered !== undefined
  }

  /**
   * It needs a subscribe of its own.
   * @param position  of its channel, where it continues unless it asked for other publications
   */
  fallBehind(position: Position | undefined): void {
    this.#buffered ??= []
    if (this.#last === undefined) this.#cursor ??= position
  }

  /** The channel was joined in a new session, from the lowest cursor of its handlers. */
  caughtUp(): void {
    this.#buffered = undefined
    this.catchUpSeq = undefined
  }

  /** @param position  of the channel */
  join(position: Position, recovered: boolean): void {
    // Publications that could not be recovered are skipped.
    if (this.#cursor === undefined || !recovered) this.#moveTo(position)
    this.#resolve({ ...position, recovered })
  }

  /** The channel was joined with its newest publications. */
  joinLast(subscribed: DownstreamMessages['subscribed']): void {
    const { epoch, publications = [] } = subscribed
    const wanted = this.#last === undefined ? [] : publications.slice(-this.#last)
    this.#last = undefined
    this.#resolve({ ...positionOf(subscribed), recovered: false })
    for (const each of wanted) {
      if (this.#cursor === undefined) this.#moveTo({ offset: each.offset - 1, epoch })
      this.#deliver({ channel: this.channel, epoch, ...each })
    }
    this.#moveTo(subscribed)
  }

  #moveTo(target: Position): void {
    const position = positionOf(target)
    this.#cursor = position
    // No calls are queued before this.
    this.#position ??= position
    this.#host.dispatch(() => {
      this.#position = position
    })
  }

  /** A publication of the channel, in order. */
  accept(publication: Publication): void {
    if (this.#buffered !== undefined) {
      if (this.#buffered.length < maxBuffered) this.#buffered.push(publication)
    } else if (isAfter(this.#cursor, publication)) this.#deliver(publication)
  }

  /** A publication that the channel has already received. */
  acceptOld(publication: Publication): void {
    if (isNext(this.#cursor, publication)) this.#deliver(publication)
  }

  #deliver(publication: Publication): void {
    const previous = this.#cursor
    const position = positionOf(publication)
    this.#cursor = position
    const call = () => {
      if (!this.#isActive) return
      this.#position = position
      this.#host.call(() => this.#handler(publication as Publication<never>), this.channel)
    }
    // The next session begins before a dropped publication.
    this.#host.dispatch(call, () => {
      this.#cursor = previous
      this.#buffered ??= []
    })
  }

  /**
   * The answer to its own subscribe. @param missedAt  the channel's position, to continue from if nothing was recovered
   */
  catchUp(subscribed: DownstreamMessages['subscribed'], missedAt: Position): void {
    const { recovered, epoch, publications = [] } = subscribed
    const buffered = this.#buffered ?? []
    this.caughtUp()
    if (this.#last === undefined) this.join(missedAt, recovered)
    else this.joinLast(subscribed)
    if (recovered) for (const each of publications) this.acceptOld({ channel: this.channel, epoch, ...each })
    for (const each of buffered) this.acceptOld(each)
  }

  presenceChanged(change: PresenceChange): void {
    const { onPresence } = this.wanted
    if (onPresence === undefined) return
    this.#host.dispatch(() => {
      if (this.#isActive) this.#host.call(() => onPresence(change), this.channel)
    })
  }

  stop(error: RequestError): void {
    this.#isActive = false
    this.fail(error)
  }

  /** Rejects `ready`, unless it is settled. */
  fail(error: RequestError): void {
    this.#reject(error)
  }
}
