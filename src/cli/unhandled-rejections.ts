import { createRepeatedEvents } from '../log/repeated-events.js'

interface ErrorLog {
  error(fields: object, message: string): void
}

/**
 * Counts and logs unhandled rejections. They are defects, but each concerns one piece of work, whose promise is
 * settled: ending the process would end all sessions.
 */
export class UnhandledRejections {
  readonly #log: ErrorLog
  readonly #events
  #count = 0

  /** @param monotonicNow  milliseconds of a clock that never jumps */
  constructor(log: ErrorLog, monotonicNow: () => number = () => performance.now()) {
    this.#log = log
    // Each line has the number of all of them.
    this.#events = createRepeatedEvents(monotonicNow, () => {})
  }

  /** Number since the start. */
  get count(): number {
    return this.#count
  }

  readonly record = (reason: unknown): void => {
    this.#count++
    this.#events.record('rejection', isLast => {
      const err = reason instanceof Error ? reason : new Error(`rejected with ${typeof reason}`)
      const more = isLast ? '; further ones of this minute are only counted' : ''
      this.#log.error({ err, unhandledRejections: this.#count }, `a promise was rejected and nothing handled it${more}`)
    })
  }
}
