import type { StoredRecord } from './durable.js'

/**
 * Replaces all durable data of a store by a backup. The backup is staged beside the store's data and replaces it in one
 * atomic step, so that a failed or interrupted restore leaves the store unchanged. These calls work with any identity
 * of the store, and without one.
 */

/** Kinds of records. A store with records of the first two is not replaced. */
export const recordKinds = ['client', 'license', 'token', 'import', 'staged', 'meta'] as const

/** An entry of the audit log as stored. */
export interface StoredAuditEntry {
  readonly seq: number
  readonly text: string
}

/** The last step of a restore. */
export interface RestoreCommit {
  /** The text of the store's new identity. */
  readonly identity: string
  /** The entry that the restore itself adds to the log. */
  readonly entry: { readonly seq: number; readonly text: string; readonly hash: string }
}

export interface RestoreStore {
  /** Why a store cannot be replaced: whether it has clients or licenses. */
  hasClientsOrLicenses(): Promise<boolean>
  /** Drops the remains of an earlier restore, and begins a new one. @param restoreId  unique */
  begin(restoreId: string): Promise<void>
  /**
   * Adds staged data. Entries follow those already staged.
   * @returns false if another restore began meanwhile, or this one is over
   * @throws StoreUnavailable
   */
  stage(restoreId: string, records: readonly StoredRecord[], entries: readonly StoredAuditEntry[]): Promise<boolean>
  /** The newest staged entry of the log; undefined if there is none. */
  lastEntry(): Promise<StoredAuditEntry | undefined>
  /** A staged record. */
  get(key: StoredRecord['key']): Promise<StoredRecord | undefined>
  /** Counts of staged data. */
  count(): Promise<{ readonly records: number; readonly entries: number }>
  /**
   * Replaces all durable data by the staged data.
   * @returns false if the store has clients or licenses by now, or another restore began: nothing was changed
   * @throws StoreUnavailable
   */
  commit(restoreId: string, commit: RestoreCommit): Promise<boolean>
  /** Drops the staged data of this restore; that of other restores remains. */
  abort(restoreId: string): Promise<void>
}
