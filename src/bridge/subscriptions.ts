import type { ChannelBroker, Joined } from '../channels/types.js'
import type { Subscriptions } from '../session/subscriptions.js'
import type { Position } from '../store/channels.js'

/**
 * The channels of a session that fetches: positions, which its next commit writes down. Nothing is followed here; what
 * lies after a position is read when a poll asks.
 */
export class FetchedSubscriptions implements Subscriptions {
  readonly #channels: ChannelBroker
  readonly #recoverLimit: number
  readonly #own: readonly string[]
  /** As the session was read, until something changes. */
  #positions: ReadonlyMap<string, Position>
  /** What changed since the session was read. */
  readonly changes = new Map<string, Position | undefined>()

  constructor(
    channels: ChannelBroker,
    recoverLimit: number,
    own: readonly string[],
    positions: ReadonlyMap<string, Position>
  ) {
    this.#channels = channels
    this.#recoverLimit = recoverLimit
    this.#own = own
    this.#positions = positions
  }

  get count(): number {
    let count = 0
    for (const channel of this.#positions.keys()) if (!this.#own.includes(channel)) count++
    return count
  }

  has(channel: string): boolean {
    return this.#positions.has(channel)
  }

  async join(channel: string, recover?: Position): Promise<Joined> {
    const { top, publications } = await this.#channels.readAfter(channel, recover, this.#recoverLimit, { fresh: true })
    const recovered = recover !== undefined && publications !== undefined
    this.moveTo(channel, top)
    return { position: top, recovered, publications: recovered ? publications : [] }
  }

  /** Where the session stands now: what an answer has told, which may be less than what `join` found. */
  moveTo(channel: string, position: Position): void {
    this.#positions = new Map(this.#positions).set(channel, position)
    this.changes.set(channel, position)
  }

  leave(channel: string): void {
    if (!this.#positions.has(channel)) return
    const positions = new Map(this.#positions)
    positions.delete(channel)
    this.#positions = positions
    this.changes.set(channel, undefined)
  }
}
