/** A quantity with a bound. */
export interface WatchedBound {
  readonly name: string
  readonly used: number
  readonly limit: number
}

/** Share of a bound from which it is reported. */
export const nearBound = 0.8
/** Below this share the next crossing is reported again. */
const farFromBound = 0.7

/** Reports each bound once before it is reached, and again only after its use has fallen well below it. */
export class BoundWatch {
  readonly #report: (bound: WatchedBound) => void
  readonly #reported = new Set<string>()

  constructor(report: (bound: WatchedBound) => void) {
    this.#report = report
  }

  /** Call it about once a second. */
  check(bounds: readonly WatchedBound[]): void {
    for (const bound of bounds) {
      if (bound.used >= bound.limit * nearBound && bound.limit > 0) {
        if (this.#reported.has(bound.name)) continue
        this.#reported.add(bound.name)
        this.#report(bound)
      } else if (bound.used < bound.limit * farFromBound) this.#reported.delete(bound.name)
    }
  }
}
