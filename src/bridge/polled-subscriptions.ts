import type { ChannelBroker, Joined, JoinPoint, LastPublications } from '../channels/types.js'
import { presenceChannelOf, subjectOf } from '../session/presence-changes.js'
import type { Subscriptions } from '../session/subscriptions.js'
import type { Position } from '../store/channels.js'
import { applyChanges, type PositionChanges, type Positions } from './positions.js'

/**
 * The channels of a bridge session while one batch runs: its positions, which the batch's commit stores. Publications
 * are read when a poll asks for them.
 */
export class PolledSubscriptions implements Subscriptions {
  readonly #channels: ChannelBroker
  readonly #recoverLimit: number
  readonly #own: readonly string[]
  #positions: Positions
  readonly #changes = new Map<string, Position | undefined>()

  /**
   * @param recoverLimit publications that one recovery returns, at most
   * @param own          the session's own channels, which do not count
   * @param positions    of the stored session
   */
  constructor(channels: ChannelBroker, recoverLimit: number, own: readonly string[], positions: Positions) {
    this.#channels = channels
    this.#recoverLimit = recoverLimit
    this.#own = own
    this.#positions = positions
  }

  /** Differences from the stored session. */
  get changes(): PositionChanges {
    return this.#changes
  }

  get count(): number {
    let count = 0
    for (const channel of this.#positions.keys()) {
      if (!this.#own.includes(channel) && subjectOf(channel) === undefined) count++
    }
    return count
  }

  has(channel: string): boolean {
    return this.#positions.has(channel)
  }

  async join(channel: string, from?: JoinPoint, owners?: string, withPresence = false): Promise<Joined> {
    const ofPresence = withPresence ? await this.#topOfPresence(channel, owners) : undefined
    const joined = await this.#joinFrom(channel, from, owners)
    const name = presenceChannelOf(channel)
    if (ofPresence !== undefined || this.has(name)) this.#set(name, ofPresence)
    return joined
  }

  /** Start of the changes of presence: none are sent before the `subscribed`. */
  async #topOfPresence(channel: string, owners: string | undefined): Promise<Position> {
    const options = { fresh: true, ...(owners === undefined ? {} : { owners }) }
    return (await this.#channels.readAfter(presenceChannelOf(channel), undefined, 0, options)).top
  }

  async #joinFrom(channel: string, from?: JoinPoint, owners?: string): Promise<Joined> {
    if (from !== undefined && 'last' in from) return this.#joinWithLast(channel, from, owners)
    const options = { fresh: true, ...(owners === undefined ? {} : { owners }) }
    const { top, publications } = await this.#channels.readAfter(channel, from, this.#recoverLimit, options)
    const recovered = from !== undefined && publications !== undefined
    this.moveTo(channel, top)
    return { position: top, recovered, publications: recovered ? publications : [] }
  }

  async #joinWithLast(
    channel: string,
    { last, maxBytes }: LastPublications,
    owners: string | undefined
  ): Promise<Joined> {
    const { top, publications } = await this.#channels.readPage(channel, { limit: last, maxBytes }, owners)
    this.moveTo(channel, top)
    return { position: top, recovered: false, publications }
  }

  /** Sets the position stated in the answer, which may be before the one returned by `join`. */
  moveTo(channel: string, position: Position): void {
    this.#set(channel, position)
  }

  leave(channel: string): void {
    for (const name of [channel, presenceChannelOf(channel)]) if (this.has(name)) this.#set(name, undefined)
  }

  #set(channel: string, position: Position | undefined): void {
    this.#positions = applyChanges(this.#positions, new Map([[channel, position]]))
    this.#changes.set(channel, position)
  }
}
