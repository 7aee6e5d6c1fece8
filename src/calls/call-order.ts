import { StoreUnavailable } from '../store/store.js'
import { type CallOutcome, outcomeOf } from './outcome.js'

type Dispatch = () => Promise<CallOutcome | undefined>

/** Dispatches calls one after another, in the order in which they were made. */
export class CallOrder {
  #last: Promise<unknown> = Promise.resolve()
  /** Counts the calls for which the store was not available. */
  #failures = 0

  /**
   * A call is not dispatched if the store was unavailable for a call that it waited for: otherwise each call in a row
   * would wait for the timeouts of all before it.
   * @returns the result of `dispatch`. Rejects with unexpected errors
   */
  run(dispatch: Dispatch): Promise<CallOutcome | undefined> {
    const failures = this.#failures
    const outcome = this.#last.then(() =>
      this.#failures === failures ? this.#run(dispatch) : outcomeOf(new StoreUnavailable(undefined, 'unsent'))
    )
    this.#last = outcome.catch(() => {})
    return outcome
  }

  async #run(dispatch: Dispatch): Promise<CallOutcome | undefined> {
    const outcome = await dispatch().catch(outcomeOf)
    if (outcome?.kind === 'refused' && outcome.code === 'UNAVAILABLE') this.#failures++
    return outcome
  }
}
