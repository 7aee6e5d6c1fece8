import { type CallOutcome, tooManyCalls } from './outcome.js'

/** Calls of this process that await their outcome, of all callers. */
export const maxPendingCalls = 200_000

interface PendingCall {
  readonly resolve: (outcome: CallOutcome) => void
  readonly timer: NodeJS.Timeout
}

/** Calls whose outcome goes to a caller in this process. */
export class PendingCalls {
  readonly #calls = new Map<number, PendingCall>()
  #last = 0

  get size(): number {
    return this.#calls.size
  }

  /**
   * Waits for the outcome of a call.
   * @param timeoutMs  time until `atDeadline` determines the outcome, in milliseconds
   * @param dispatch   sends the call with the number of the waiter; returns the outcome if it exists already
   */
  async wait(
    timeoutMs: number,
    dispatch: (waiter: number) => Promise<CallOutcome | undefined>,
    atDeadline: () => Promise<CallOutcome>
  ): Promise<CallOutcome> {
    if (this.#calls.size >= maxPendingCalls) return tooManyCalls(`${maxPendingCalls} calls wait on this instance`)
    const waiter = ++this.#last
    const outcome = new Promise<CallOutcome>(resolve => {
      const timer = setTimeout(() => resolve(atDeadline()), timeoutMs).unref()
      this.#calls.set(waiter, { resolve, timer })
    })
    try {
      const dispatched = dispatch(waiter).then(immediate => immediate ?? outcome)
      // A reply of the store after the deadline is ignored.
      dispatched.catch(() => {})
      return await Promise.race([dispatched, outcome])
    } finally {
      clearTimeout(this.#calls.get(waiter)?.timer)
      this.#calls.delete(waiter)
    }
  }

  /** Ends the wait; has no effect for a waiter that has its outcome. */
  resolve(waiter: number, outcome: CallOutcome): void {
    this.#calls.get(waiter)?.resolve(outcome)
  }
}
