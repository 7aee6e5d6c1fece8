/** Upper bounds of the buckets, in seconds. `/readyz` calls a store slow from 0.25 s on. */
export const durationBounds: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]
/** Verbs that are counted separately: far more than exist. Any more share `other`. */
export const maxVerbs = 200

/** Durations of the calls of one verb. */
export interface VerbDurations {
  /** Calls up to each of {@link durationBounds}, not cumulative; the last count is for calls above all bounds. */
  readonly counts: Float64Array
  sumSeconds: number
}

/** Durations of a store's calls, by verb. Recording a call of a known verb allocates nothing. */
export class StoreDurations {
  readonly #verbs = new Map<string, VerbDurations>()

  /** @param ms  from the call to its reply, or to its failure */
  record(verb: string, ms: number): void {
    const durations = this.#verbs.get(verb) ?? this.#add(verb)
    const seconds = ms / 1000
    let bucket = 0
    while (bucket < durationBounds.length && seconds > (durationBounds[bucket] ?? 0)) bucket++
    durations.counts[bucket] = (durations.counts[bucket] ?? 0) + 1
    durations.sumSeconds += seconds
  }

  /** Records the duration of a call. @returns the call's promise */
  async time<T>(verb: string, call: Promise<T>): Promise<T> {
    const startedAt = performance.now()
    try {
      return await call
    } finally {
      this.record(verb, performance.now() - startedAt)
    }
  }

  get verbs(): ReadonlyMap<string, VerbDurations> {
    return this.#verbs
  }

  #add(verb: string): VerbDurations {
    const name = this.#verbs.size < maxVerbs ? verb : 'other'
    const known = this.#verbs.get(name)
    if (known !== undefined) return known
    const made = { counts: new Float64Array(durationBounds.length + 1), sumSeconds: 0 }
    this.#verbs.set(name, made)
    return made
  }
}
