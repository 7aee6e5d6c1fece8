import type { Platform } from './options.js'

export type TimerName = 'retry' | 'handshake' | 'heartbeat' | 'silence' | 'renew'

/** A client's timers, one of each name. */
export class Timers {
  readonly #platform: Pick<Platform, 'setTimer' | 'clearTimer'>
  readonly #running = new Map<TimerName, unknown>()

  constructor(platform: Pick<Platform, 'setTimer' | 'clearTimer'>) {
    this.#platform = platform
  }

  /** Starts a timer, in the place of one of that name. @param ms  at most 2^31 - 1, which a session of 24 h is below */
  set(name: TimerName, ms: number, call: () => void): void {
    this.clear(name)
    this.#running.set(
      name,
      this.#platform.setTimer(() => {
        this.#running.delete(name)
        call()
      }, ms)
    )
  }

  clear(...names: readonly TimerName[]): void {
    for (const name of names) {
      this.#platform.clearTimer(this.#running.get(name))
      this.#running.delete(name)
    }
  }
}
