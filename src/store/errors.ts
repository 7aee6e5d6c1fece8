/**
 * Outcome of a failed call. `unsent`: it certainly had no effect, because it never reached the store or because the
 * store refused it. `unknown`: it may have taken effect.
 */
export type StoreOutcome = 'unknown' | 'unsent'

/** The store did not answer in time, cannot be reached, or has no capacity for the call. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
  readonly outcome: StoreOutcome

  /** @param outcome  `unsent` only if that is certain */
  constructor(cause?: unknown, outcome: StoreOutcome = 'unknown') {
    super('the store does not answer', { cause })
    this.outcome = outcome
  }
}

/** The store's capacity for this kind of object is used up, and the object's owner exceeds its share. */
export class ShareExceeded extends StoreUnavailable {
  /** The kind of object, e.g. `tickets`. */
  readonly what: string

  constructor(what: string, limit: number) {
    super(new Error(`${limit} ${what}, the most that are kept; this owner has more than its share`), 'unsent')
    this.what = what
  }
}

/** The store cannot be opened because of the data folder's files or its disk. The message states what to do. */
export class DataDirUnusable extends Error {
  override readonly name = 'DataDirUnusable'
}

/** A setting of the store cannot be used. The message names it, and states what to do. */
export class StoreMisconfigured extends Error {
  override readonly name = 'StoreMisconfigured'
}

/** Another process uses the data folder. */
export class DataDirInUse extends Error {
  override readonly name = 'DataDirInUse'

  constructor() {
    super('another countersign process uses this data folder')
  }
}
