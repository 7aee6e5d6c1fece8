import { type CallOutcome, tooManyCalls } from './outcome.js'

/** Calls of this process that wait for their outcome, of all callers. */
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
   * @param timeoutMs  after which the outcome is what `atDeadline` returns
   * @param dispatch   sends the call. It gets the number of the waiter, and returns the outcome if there is one already
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
      // What a store answers after the deadline is too late.
      dispatched.catch(() => {})
      return await Promise.race([dispatched, outcome])
    } finally {
      clearTimeout(this.#calls.get(waiter)?.timer)
      this.#calls.delete(waiter)
    }
  }

  /** Ends the wait; without effect for a waiter that has its outcome. */
  resolve(waiter: number, outcome: CallOutcome): void {
    this.#calls.get(waiter)?.resolve(outcome)
  }
}
