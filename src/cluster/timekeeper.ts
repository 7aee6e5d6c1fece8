import type { Log } from '../session/dependencies.js'
import type { TickTimes } from '../session/session-source.js'
import type { SteadyClock } from '../steady-clock.js'
import type { Store } from '../store/store.js'
import { PauseDetector } from './pause-detector.js'

export interface TimekeeperOptions {
  readonly store: Pick<Store, 'time'>
  /** Unix milliseconds of the wall clock. */
  readonly now: () => number
  /** Absent: the wall clock decides which peers are silent, without corrections. */
  readonly clock?: SteadyClock
  /** Milliseconds of a clock that never jumps. Absent: no pauses are noticed. */
  readonly monotonicNow?: () => number
  readonly log: Pick<Log, 'warn' | 'debug'>
  /** Called after a pause of this process. */
  readonly onPause: () => void
}

/** Slower readings of the store's clock are not used: they may be wrong by half of this. */
const maxRoundTripMs = 500

/**
 * Clocks by which this instance decides which peers are silent. Its steady clock follows the store's clock, which all
 * instances share, or the wall clock of a single instance. After a pause of this process it grants peers time to be
 * heard.
 */
export class Timekeeper {
  readonly steadyNow: () => number
  readonly isGracePeriod: () => boolean
  readonly #options: TimekeeperOptions
  readonly #monotonicNow: () => number
  readonly #pauses: PauseDetector
  #isReading = false

  constructor(options: TimekeeperOptions) {
    const { clock, now, monotonicNow = () => 0, log, onPause } = options
    this.#options = options
    this.#monotonicNow = monotonicNow
    this.#pauses = new PauseDetector({
      monotonicNow,
      onPause(ms) {
        log.warn({ pausedMs: Math.round(ms) }, `this process was paused for ${(ms / 1000).toFixed(1)} s`)
        onPause()
      }
    })
    this.steadyNow = clock?.now ?? now
    this.isGracePeriod = this.#pauses.isGracePeriod
  }

  /** Notices pauses. Call it about once a second, before {@link times}. */
  beat(): void {
    this.#pauses.beat()
  }

  times(): TickTimes {
    return { now: this.#options.now(), steadyNow: this.steadyNow(), isGracePeriod: this.isGracePeriod() }
  }

  /** Reads the reference clock. Call it about once a second; without the store the steady clock runs freely. */
  async synchronize(): Promise<void> {
    if (this.#isReading) return
    this.#isReading = true
    try {
      await this.#read()
    } catch (error) {
      this.#options.log.debug({ err: error }, "could not read the store's clock")
    } finally {
      this.#isReading = false
    }
  }

  async #read(): Promise<void> {
    const { clock, store, now } = this.#options
    if (clock === undefined) return
    if (store.time === undefined) {
      clock.observe(now())
      return
    }
    const askedAt = this.#monotonicNow()
    const time = await store.time()
    const roundTripMs = this.#monotonicNow() - askedAt
    if (roundTripMs <= maxRoundTripMs) clock.observe(time + roundTripMs / 2)
  }
}
