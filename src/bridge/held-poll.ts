import type { ChannelBroker } from '../channels/types.js'
import type { Position } from '../store/channels.js'

/**
 * Why a held poll stops waiting.
 * - `publications`: a channel may have publications after the session's position
 * - `frames`: a commit added frames that no other answer delivers
 * - `call`: the same, and they must not wait for further frames
 * - `channels`: the session joined or left a channel, or made a call
 * - `superseded`: a newer poll is held
 * - `ended`: the session ended
 * - `timeout`: the poll waited for as long as its client asked
 * - `disconnected`: the client closed the connection
 * - `draining`: this instance stops
 */
export type WakeReason =
  | 'publications'
  | 'frames'
  | 'call'
  | 'channels'
  | 'superseded'
  | 'ended'
  | 'timeout'
  | 'disconnected'
  | 'draining'

/** Terminal reasons. They override earlier ones; the first one counts. */
const terminalReasons: ReadonlySet<WakeReason> = new Set(['superseded', 'ended', 'disconnected', 'draining'])

/** Each reason includes the effects of those before it; of terminal reasons the first counts. */
const ranks: readonly WakeReason[] = ['publications', 'channels', 'frames', 'call']

function rankOf(reason: WakeReason): number {
  return terminalReasons.has(reason) ? ranks.length : ranks.indexOf(reason)
}

/** A poll that waits for one wake reason after another until it is answered. */
export class HeldPoll {
  readonly poll: number
  #isWaiting = false
  #reason: WakeReason | undefined
  #notify: (() => void) | undefined
  #unwatch: (() => void)[] = []

  constructor(poll: number) {
    this.poll = poll
  }

  /** Whether it waits; before, the poll's own messages are answered. */
  get isWaiting(): boolean {
    return this.#isWaiting
  }

  /** Whether it was woken with a terminal reason. */
  get isTerminated(): boolean {
    return this.#reason !== undefined && terminalReasons.has(this.#reason)
  }

  wake(reason: WakeReason): void {
    if (this.#reason !== undefined && rankOf(reason) <= rankOf(this.#reason)) return
    this.#reason = reason
    this.#notify?.()
  }

  /** Resolves with the next reason, or with `timeout` after `ms`. */
  async next(ms: number): Promise<WakeReason> {
    if (this.#reason === undefined) await this.#wait(ms)
    const reason = this.#reason ?? 'timeout'
    if (!terminalReasons.has(reason)) this.#reason = undefined
    return reason
  }

  #wait(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, ms)
      this.#notify = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  get #mustNotLinger(): boolean {
    return this.#reason === 'call' || this.isTerminated
  }

  /** Waits so that more frames share the answer (PROTOCOL §9.4 g); a call or a terminal reason ends the wait. */
  async linger(ms: number): Promise<void> {
    if (ms === 0 || this.#mustNotLinger) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms)
      this.#notify = () => {
        if (!this.#mustNotLinger) return
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /**
   * Wakes on publications after these positions, which replace the watched ones.
   * @param waitMs  milliseconds until publications of a channel may be sent
   */
  watch(
    channels: ChannelBroker,
    positions: ReadonlyMap<string, Position>,
    waitMs: (channel: string) => number = () => 0
  ): void {
    this.release()
    this.#isWaiting = true
    for (const [channel, position] of positions) {
      this.#unwatch.push(channels.watch(channel, position, () => this.#wakeAfter(waitMs(channel))))
    }
  }

  #wakeAfter(ms: number): void {
    if (ms === 0) {
      this.wake('publications')
      return
    }
    const timer = setTimeout(() => this.wake('publications'), ms)
    this.#unwatch.push(() => clearTimeout(timer))
  }

  release(): void {
    for (const unwatch of this.#unwatch) unwatch()
    this.#unwatch = []
  }
}

/** The slot for a session's held poll on this instance: the newest poll has it (PROTOCOL §9.4 f). */
export class HeldPollSlot {
  #held: HeldPoll | undefined
  /** The strongest reason since the last exchange asked the store. */
  #missed: WakeReason | undefined

  get isHolding(): boolean {
    return this.#held !== undefined
  }

  get isWaiting(): boolean {
    return this.#held?.isWaiting === true
  }

  /**
   * Call it before an exchange asks the store: the reply shows all earlier commits. Later commits of other instances
   * arrive as notifications, possibly before the store's reply.
   */
  beginExchange(): void {
    this.#missed = undefined
  }

  /** Supersedes the held poll; superseded at once when that one is newer. */
  hold(poll: number): HeldPoll {
    const arrived = new HeldPoll(poll)
    if (this.#held !== undefined && this.#held.poll > poll) arrived.wake('superseded')
    else {
      this.#held?.wake('superseded')
      this.#held = arrived
      if (this.#missed !== undefined) arrived.wake(this.#missed)
    }
    return arrived
  }

  release(poll: HeldPoll): void {
    poll.release()
    if (this.#held === poll) this.#held = undefined
  }

  wake(reason: WakeReason): void {
    this.#held?.wake(reason)
    const isMore = this.#missed === undefined || rankOf(reason) > rankOf(this.#missed)
    if (isMore && !terminalReasons.has(reason)) this.#missed = reason
  }
}
