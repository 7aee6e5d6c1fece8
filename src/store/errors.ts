/**
 * What is known of a failed call. `unsent`: it certainly had no effect, because it never reached the store or because
 * the store refused it. `unknown`: it may have taken effect.
 */
export type StoreOutcome = 'unknown' | 'unsent'

/** The store did not answer in time, cannot be reached, or has no capacity for the call. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
  readonly outcome: StoreOutcome

  /** @param outcome  `unsent` only where that is certain */
  constructor(cause?: unknown, outcome: StoreOutcome = 'unknown') {
    super('the store does not answer', { cause })
    this.outcome = outcome
  }
}

/** Another process uses the data folder. */
export class DataDirInUse extends Error {
  override readonly name = 'DataDirInUse'

  constructor() {
    super('another countersign process uses this data folder')
  }
}
