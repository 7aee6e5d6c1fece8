/** Rejections of a minute that are logged in full. */
export const loggedPerMinute = 10
const minuteMs = 60_000

interface ErrorLog {
  error(fields: object, message: string): void
}

/**
 * Counts and logs rejections that nothing handles. They are defects, but each concerns one piece of work, whose promise is
 * settled: ending the process would end every session for it.
 */
export class UnhandledRejections {
  readonly #log: ErrorLog
  readonly #monotonicNow: () => number
  #count = 0
  #minuteStartedAt = Number.NEGATIVE_INFINITY
  #inMinute = 0

  /** @param monotonicNow  milliseconds of a clock that never jumps */
  constructor(log: ErrorLog, monotonicNow: () => number = () => performance.now()) {
    this.#log = log
    this.#monotonicNow = monotonicNow
  }

  /** Since the start. */
  get count(): number {
    return this.#count
  }

  readonly record = (reason: unknown): void => {
    this.#count++
    const at = this.#monotonicNow()
    if (at - this.#minuteStartedAt >= minuteMs) {
      this.#minuteStartedAt = at
      this.#inMinute = 0
    }
    if (++this.#inMinute > loggedPerMinute) return
    const err = reason instanceof Error ? reason : new Error(`rejected with ${typeof reason}`)
    const more = this.#inMinute === loggedPerMinute ? '; further ones of this minute are only counted' : ''
    this.#log.error({ err, unhandledRejections: this.#count }, `a promise was rejected and nothing handled it${more}`)
  }
}
