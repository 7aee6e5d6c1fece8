import type { ChannelBroker } from '../channels/types.js'
import type { Position } from '../store/channels.js'

/** Why a held poll stopped waiting. `news`: there may be publications; `frames`: there are frames in the outbox. */
export type WakeReason = 'news' | 'frames' | 'channels' | 'superseded' | 'ended' | 'time' | 'lost' | 'draining'

/** Wakings after which nothing is waited for any more: they win over those that came before. */
const lastWords: ReadonlySet<WakeReason> = new Set(['superseded', 'ended', 'lost', 'draining'])

/** A poll that is held: it waits for one waking after another, until it is answered. */
export class HeldPoll {
  readonly poll: number
  /** Whether it waits by now; before, its own messages are answered. */
  isWaiting = false
  #waking: WakeReason | undefined
  #notify: (() => void) | undefined
  #stopWatching: (() => void)[] = []

  constructor(poll: number) {
    this.poll = poll
  }

  wake(waking: WakeReason): void {
    if (this.#waking !== undefined && (lastWords.has(this.#waking) || !lastWords.has(waking))) return
    this.#waking = waking
    this.#notify?.()
  }

  /** Whether the last word was said. */
  get isOver(): boolean {
    return this.#waking !== undefined && lastWords.has(this.#waking)
  }

  /** The next waking, or `time` after `ms`. */
  async next(ms: number): Promise<WakeReason> {
    if (this.#waking === undefined) await this.#wait(ms)
    const waking = this.#waking ?? 'time'
    if (!lastWords.has(waking)) this.#waking = undefined
    return waking
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

  /** Waits a moment so that more can ride along (PROTOCOL §9.4 g); a last word cuts it short. */
  async linger(ms: number): Promise<void> {
    if (ms === 0 || this.isOver) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms)
      this.#notify = () => {
        if (!this.isOver) return
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Is woken by what comes after these positions; those of before are not watched any more. */
  watch(channels: ChannelBroker, positions: ReadonlyMap<string, Position>): void {
    this.release()
    this.isWaiting = true
    for (const [channel, position] of positions) {
      this.#stopWatching.push(channels.watch(channel, position, () => this.wake('news')))
    }
  }

  release(): void {
    for (const stop of this.#stopWatching) stop()
    this.#stopWatching = []
  }
}
