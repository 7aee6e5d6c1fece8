import { presenceLimit } from '../protocol/limits.js'
import type { Presence } from '../store/presence.js'
import type { Outgoing } from './outbox.js'

/**
 * Changes of a channel's presence travel between instances as publications of a second channel. No client can name that
 * channel. It exists while its changes are watched.
 */
const prefix = '@presence:'

export function presenceChannelOf(channel: string): string {
  return prefix + channel
}

/** The channel whose changes a channel carries; undefined for the channels of clients. */
export function subjectOf(name: string): string | undefined {
  return name.startsWith(prefix) ? name.slice(prefix.length) : undefined
}

type Who = Pick<Presence, 'sessionId' | 'clientId'>
export type PresenceChanged = Extract<Outgoing, { type: 'presenceChanged' }>

/** Sessions of each kind that wait for the next message. Further ones are omitted; its count includes them. */
export const maxWaitingChanges = 1000
/** Minimum interval between two messages about one channel to one session, in milliseconds (PROTOCOL §10.7). */
export const presenceIntervalMs = 1000

/** Changes in one channel since the last message. A session that joined and left in between is in neither list. */
export class PresenceDelta {
  /** Sessions in the channel, as of the last change. */
  count = 0
  readonly #joined = new Map<string, Who>()
  readonly #left = new Map<string, Who>()
  /** Whether its count corrects an earlier one. */
  #isCorrection = false

  get isEmpty(): boolean {
    return this.#joined.size === 0 && this.#left.size === 0 && !this.#isCorrection
  }

  join({ sessionId, clientId }: Who): void {
    if (this.#left.delete(sessionId) || this.#joined.size >= maxWaitingChanges) return
    this.#joined.set(sessionId, { sessionId, clientId })
  }

  leave({ sessionId, clientId }: Who): void {
    if (this.#joined.delete(sessionId) || this.#left.size >= maxWaitingChanges) return
    this.#left.set(sessionId, { sessionId, clientId })
  }

  /** Adds changes encoded by {@link encode}. */
  add(text: string): void {
    const { count, joined, left }: Omit<PresenceChanged, 'type' | 'channel'> = JSON.parse(text)
    this.count = count
    if (joined.length === 0 && left.length === 0) this.#isCorrection = true
    for (const who of left) this.leave(who)
    for (const who of joined) this.join(who)
  }

  /** Encodes the changes as the data of a publication. Without any, it is a correction of the count. */
  encode(count: number): string {
    const [joined, left] = [this.#joined, this.#left].map(list => [...list.values()].slice(0, presenceLimit))
    return JSON.stringify({ count, joined, left })
  }

  /**
   * The message to a session; undefined if only the session itself joined or left, and its known count is right.
   * @param statedCount  of the last message to it, if that is known: if it is wrong now, the lists may be empty
   */
  messageFor(channel: string, ownSessionId: string, statedCount?: number): PresenceChanged | undefined {
    const others = (list: ReadonlyMap<string, Who>) => {
      const all = [...list.values()]
      return (list.has(ownSessionId) ? all.filter(({ sessionId }) => sessionId !== ownSessionId) : all).slice(
        0,
        presenceLimit
      )
    }
    const [joined, left] = [others(this.#joined), others(this.#left)]
    const isCountRight = statedCount === undefined ? !this.#isCorrection : statedCount === this.count
    if (joined.length === 0 && left.length === 0 && isCountRight) return undefined
    return { type: 'presenceChanged', channel, count: this.count, joined, left }
  }
}
