import { StoreUnavailable } from '../errors.js'

/** A commit that has waited this long for earlier ones is rejected without having run. */
const maxWaitMs = 2000
/** Most waiting commits. */
const maxWaiting = 10_000

/** Runs commits one after the other, so that commits of one instance do not lose races against each other. */
export class CommitQueue {
  #previous: Promise<unknown> = Promise.resolve()
  #waiting = 0

  /** @throws StoreUnavailable */
  run<T>(commit: () => Promise<T>): Promise<T> {
    if (this.#waiting >= maxWaiting) {
      return Promise.reject(new StoreUnavailable(new Error(`${maxWaiting} commits wait already`), 'unsent'))
    }
    this.#waiting++
    const enqueuedAt = performance.now()
    const result = this.#previous.then(() => {
      this.#waiting--
      if (performance.now() - enqueuedAt <= maxWaitMs) return commit()
      throw new StoreUnavailable(new Error(`the commit waited longer than ${maxWaitMs} ms`), 'unsent')
    })
    this.#previous = result.catch(() => {})
    return result
  }
}
