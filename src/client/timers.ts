import type { Platform } from './options.js'

export type TimerName = 'retry' | 'handshake' | 'heartbeat' | 'silence' | 'renew' | 'resubscribe'

/** What a timer holds: a longer one would fire at once. */
const longestMs = 2 ** 31 - 1

/** A client's timers, one of each name. */
export class Timers {
  readonly #platform: Pick<Platform, 'setTimer' | 'clearTimer'>
  readonly #running = new Map<TimerName, unknown>()

  constructor(platform: Pick<Platform, 'setTimer' | 'clearTimer'>) {
    this.#platform = platform
  }

  /** Starts a timer, in the place of one of that name. */
  set(name: TimerName, ms: number, call: () => void): void {
    this.clear(name)
    this.#running.set(
      name,
      this.#platform.setTimer(
        () => {
          this.#running.delete(name)
          call()
        },
        Math.min(ms, longestMs)
      )
    )
  }

  clear(...names: readonly TimerName[]): void {
    for (const name of names) {
      this.#platform.clearTimer(this.#running.get(name))
      this.#running.delete(name)
    }
  }
}
