import { StoreUnavailable } from '../store/store.js'
import { type CallOutcome, outcomeOf } from './outcome.js'

type Dispatch = () => Promise<CallOutcome | undefined>

/** Dispatches calls one after another, in the order in which they were made. */
export class CallOrder {
  #last: Promise<unknown> = Promise.resolve()
  /** Counts the calls for which the store was not available. */
  #failures = 0

  /**
   * A call that waited for one for which the store was not available is not dispatched: each call in a row would wait for
   * the time-outs of all before it.
   * @returns what `dispatch` returns. Rejects with what is none of the expected errors
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
