import type { Platform } from './options.js'

export type TimerName =
  | 'retry'
  | 'wake'
  | 'handshake'
  | 'heartbeat'
  | 'silence'
  | 'renew'
  | 'resubscribe'
  | 'stable'
  | 'restart'
  | 'closing'

/** Longest delay of setTimeout. A longer one would fire at once. */
const maxDelayMs = 2 ** 31 - 1

/** The timers of a client, at most one per name. */
export class Timers {
  readonly #platform: Pick<Platform, 'setTimer' | 'clearTimer'>
  readonly #running = new Map<TimerName, unknown>()

  constructor(platform: Pick<Platform, 'setTimer' | 'clearTimer'>) {
    this.#platform = platform
  }

  /** Starts a timer, replacing one of the same name. */
  set(name: TimerName, ms: number, call: () => void): void {
    this.clear(name)
    this.#running.set(
      name,
      this.#platform.setTimer(
        () => {
          this.#running.delete(name)
          call()
        },
        Math.min(ms, maxDelayMs)
      )
    )
  }

  has(name: TimerName): boolean {
    return this.#running.has(name)
  }

  clearAll(): void {
    this.clear(...this.#running.keys())
  }

  clear(...names: readonly TimerName[]): void {
    for (const name of names) {
      this.#platform.clearTimer(this.#running.get(name))
      this.#running.delete(name)
    }
  }
}
