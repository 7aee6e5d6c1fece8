/** Keys reported per process. Further ones are not. */
export const maxReportedKeys = 1000

/** Reports keys with values that no gateway wrote: each once, however often it is read. */
export class UnreadableKeys {
  readonly #report: (key: string) => void
  readonly #reported = new Set<string>()

  constructor(report: (key: string) => void) {
    this.#report = report
  }

  add(key: string): void {
    if (this.#reported.size >= maxReportedKeys || this.#reported.has(key)) return
    this.#reported.add(key)
    this.#report(key)
  }
}
