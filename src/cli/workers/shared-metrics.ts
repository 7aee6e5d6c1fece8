/** Longest wait of a scrape for the metrics of all workers, in milliseconds: longer than the primary waits for them. */
const answerWithinMs = 3000

/** Asks the primary for the metrics of all workers. Concurrent callers share its answer. */
export class SharedMetrics {
  readonly #ask: () => void
  readonly #withinMs: number
  #pending: { readonly text: Promise<string>; readonly resolve: (text: string) => void } | undefined

  /** @param ask  requests one call of {@link rendered} */
  constructor(ask: () => void, withinMs = answerWithinMs) {
    this.#ask = ask
    this.#withinMs = withinMs
  }

  /** @throws Error if the primary does not answer in time */
  render(): Promise<string> {
    this.#pending ??= this.#request()
    return this.#pending.text
  }

  rendered(text: string): void {
    this.#pending?.resolve(text)
  }

  #request() {
    let resolve = (_text: string) => {}
    const text = new Promise<string>((answer, reject) => {
      const timer = setTimeout(() => reject(new Error('the primary process did not answer')), this.#withinMs)
      resolve = value => {
        clearTimeout(timer)
        answer(value)
      }
    }).finally(() => {
      this.#pending = undefined
    })
    this.#ask()
    return { text, resolve: (value: string) => resolve(value) }
  }
}
