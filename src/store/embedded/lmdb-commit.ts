import type { RootDatabase } from 'lmdb'
import type { StoreOutcome } from '../errors.js'

/**
 * Commits in LMDB, and the meaning of their failures. lmdb-js leaves unhandled promises behind; all are handled here.
 */

const outOfSpace = 28 // ENOSPC
const fileTooLarge = 27 // EFBIG
const quotaExceeded = process.platform === 'darwin' ? 69 : 122 // EDQUOT

/** A write that failed. Its message is for operators; the cause is the system's error. */
export class WriteFailure extends Error {
  override readonly name = 'WriteFailure'
  readonly outcome: StoreOutcome

  constructor(message: string, outcome: StoreOutcome, cause: unknown) {
    super(message, { cause })
    this.outcome = outcome
  }
}

function ignore(): void {}

/**
 * Runs work in a write transaction. Resolves when it is on disk.
 * @throws WriteFailure if it could not be committed; errors of the work
 */
export async function runTransaction<T>(database: RootDatabase, work: () => T): Promise<T> {
  const result = database.transaction(work)
  // The batch of this turn has its own promise, which is created in an immediate and rejects when the commit fails.
  // lmdb-js never returns it; `committed` leads to it from here on.
  setImmediate(() => database.committed.then(ignore, ignore))
  try {
    return await result
  } catch (error) {
    throw await failureOf(error)
  }
}

/** A failed commit rejects twice: with a general error, and with the system's in the promise `commitError`. */
async function failureOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error && 'commitError' in error)) return error
  try {
    await error.commitError
    return describe(error)
  } catch (cause) {
    return describe(cause)
  }
}

/**
 * While pages are written, the transaction is not visible yet. Later failures may concern the page that publishes it.
 */
function outcomeOf(text: string): StoreOutcome {
  return text.includes('Attempting to write page') ? 'unsent' : 'unknown'
}

/** @param error  the system's error with its number as `code`, or any other */
export function describe(error: unknown): WriteFailure {
  const text = error instanceof Error ? error.message : String(error)
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const outcome = outcomeOf(text)
  if (code === outOfSpace || code === 'ENOSPC') {
    return new WriteFailure("the data folder's disk is full", outcome, error)
  }
  if (code === quotaExceeded || code === 'EDQUOT') {
    return new WriteFailure("the disk quota of the data folder's user is used up", outcome, error)
  }
  if (code === fileTooLarge || code === 'EFBIG') {
    return new WriteFailure('the database file has reached the size limit of this process', outcome, error)
  }
  return new WriteFailure(`the data folder cannot be written: ${text}`, outcome, error)
}
