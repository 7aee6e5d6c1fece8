/** Causes of failures, each reported once until a session has been opened. */

/** Causes that are remembered at a time. A cause whose text always differs is reported as many times at most. */
export const maxCauses = 32

export class Causes {
  readonly #reported = new Set<string>()

  /** @returns whether the cause is to be reported now */
  isNew(cause: string): boolean {
    if (this.#reported.has(cause) || this.#reported.size >= maxCauses) return false
    this.#reported.add(cause)
    return true
  }

  /** A session was opened: a cause that returns is reported again. */
  clear(): void {
    this.#reported.clear()
  }
}
