/** A longer gap between two beats means that the process did not run: it was stopped, or its event loop was blocked. */
export const pauseMs = 2500
/** Longest grace for peers after a pause. */
export const maxGraceMs = 30_000
/** Added to each grace: data that arrived meanwhile must be read first. */
const momentMs = 1000
/** Time between two beats. */
const beatEveryMs = 1000

export interface PauseDetectorOptions {
  /** Milliseconds of a clock that never jumps. */
  readonly monotonicNow: () => number
  /** Called once per pause. @param ms  approximate length of the pause */
  readonly onPause: (ms: number) => void
}

/**
 * Notices pauses of this process. Meanwhile it received nothing, so silence in that time proves nothing about a peer.
 * After a pause peers get a grace of its length, and a little more, before any of them counts as silent.
 */
export class PauseDetector {
  readonly #options: PauseDetectorOptions
  #beatAt: number | undefined
  #graceEndsAt = Number.NEGATIVE_INFINITY

  constructor(options: PauseDetectorOptions) {
    this.#options = options
  }

  /** Call it about once a second. */
  beat(): void {
    const at = this.#options.monotonicNow()
    const gapMs = at - (this.#beatAt ?? at)
    this.#beatAt = at
    if (gapMs <= pauseMs) return
    this.#graceEndsAt = Math.max(this.#graceEndsAt, at + Math.min(gapMs, maxGraceMs) + momentMs)
    this.#options.onPause(gapMs - beatEveryMs)
  }

  /** Whether peers are still within their grace. Also true when a pause has just ended and no beat has noticed it. */
  readonly isGracePeriod = (): boolean => {
    const at = this.#options.monotonicNow()
    return at < this.#graceEndsAt || at - (this.#beatAt ?? at) > pauseMs
  }
}
