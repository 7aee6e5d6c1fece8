/** Runs work one after another, in the order in which it was given. */
export class CallOrder {
  #last: Promise<unknown> = Promise.resolve()

  /** @returns what `work` returns, or rejects as it does */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }
}
