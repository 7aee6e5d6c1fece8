import type { StoredRecord } from './durable.js'

/**
 * Replaces everything durable of a store by what a backup holds. It is staged beside the store's own data and takes its
 * place in one atomic step, so that a restore which fails or stops leaves the store as it was. These calls work whatever
 * the store's identity is, and whether or not it has one.
 */

/** Kinds of records. A store with records of the first two is not replaced. */
export const recordKinds = ['client', 'license', 'token', 'import', 'staged', 'meta'] as const

/** An entry of the audit log as it is stored. */
export interface StoredAuditEntry {
  readonly seq: number
  readonly text: string
}

/** The last step of a restore. */
export interface RestoreCommit {
  /** The text of the identity that the store gets. */
  readonly identity: string
  /** The entry that the restore itself adds to the log. */
  readonly entry: { readonly seq: number; readonly text: string; readonly hash: string }
}

export interface RestoreStore {
  /** What keeps a store from being replaced: whether it has clients or licenses. */
  hasClientsOrLicenses(): Promise<boolean>
  /** Drops what an earlier restore left, and begins a new one. @param restoreId  unique */
  begin(restoreId: string): Promise<void>
  /**
   * Adds to what is staged. Entries follow the ones that are staged already.
   * @returns false if another restore began meanwhile, or this one is over
   * @throws StoreUnavailable
   */
  stage(restoreId: string, records: readonly StoredRecord[], entries: readonly StoredAuditEntry[]): Promise<boolean>
  /** The newest staged entry of the log; undefined if there is none. */
  lastEntry(): Promise<StoredAuditEntry | undefined>
  /** A staged record. */
  get(key: StoredRecord['key']): Promise<StoredRecord | undefined>
  /** How much is staged. */
  count(): Promise<{ readonly records: number; readonly entries: number }>
  /**
   * Puts what is staged in the place of everything durable.
   * @returns false if the store has clients or licenses by now, or another restore began: nothing was changed
   * @throws StoreUnavailable
   */
  commit(restoreId: string, commit: RestoreCommit): Promise<boolean>
  /** Drops what this restore staged; what another one staged remains. */
  abort(restoreId: string): Promise<void>
}
