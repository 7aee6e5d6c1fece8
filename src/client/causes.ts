/** Causes of failures, each reported once until a session has been opened. */

/** Causes that are remembered. A cause with an ever-changing text is reported at most this number of times. */
export const maxCauses = 32

export class Causes {
  readonly #reported = new Set<string>()

  /** @returns whether to report the cause now */
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
