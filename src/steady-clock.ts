/**
 * The clock that decides which peers are silent. A wall clock may be set back or forward at any moment; a monotonic one may
 * not, but differs between instances. This one runs with the monotonic clock and approaches a reference that instances
 * share, by at most {@link maxSlew}: a step of any size neither ends nor prolongs a session by more than that share.
 */

/** Most by which it runs faster or slower than the monotonic clock: 45 s of silence become at least 42.75 s. */
export const maxSlew = 0.05

export class SteadyClock {
  readonly #monotonicNow: () => number
  #monotonicAt: number
  #time: number
  /** Lead of the reference over the monotonic clock at the last observation. */
  #referenceOffset: number | undefined

  /**
   * @param monotonicNow  milliseconds of a clock that never jumps
   * @param startAt       unix milliseconds, until a reference is observed
   */
  constructor(monotonicNow: () => number, startAt: number) {
    this.#monotonicNow = monotonicNow
    this.#monotonicAt = monotonicNow()
    this.#time = startAt
  }

  /** Unix milliseconds. Never decreases. */
  readonly now = (): number => {
    const monotonic = this.#monotonicNow()
    const elapsed = Math.max(0, monotonic - this.#monotonicAt)
    this.#monotonicAt = monotonic
    this.#time += elapsed
    if (this.#referenceOffset !== undefined) {
      const behind = this.#referenceOffset + monotonic - this.#time
      const most = elapsed * maxSlew
      this.#time += Math.max(-most, Math.min(most, behind))
    }
    return Math.floor(this.#time)
  }

  /**
   * Observes the reference. The first observation is adopted at once, before any session exists; the clock approaches
   * later ones.
   * @param reference  unix milliseconds
   */
  observe(reference: number): void {
    this.now()
    if (this.#referenceOffset === undefined) this.#time = reference
    this.#referenceOffset = reference - this.#monotonicAt
  }
}

/**
 * Makes a clock that is read once a turn of the event loop, so that everything in one turn has the same time. Without
 * it, each message would read the clock ten times.
 * @param now    read at the first use in a turn
 * @param atEnd  calls back when the turn is over
 */
export function oncePerTurn(now: () => number, atEnd: (end: () => void) => void = setImmediate): () => number {
  let current: number | undefined
  const end = () => {
    current = undefined
  }
  return () => {
    if (current === undefined) {
      current = now()
      atEnd(end)
    }
    return current
  }
}
