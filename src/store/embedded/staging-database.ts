import type { Database, RootDatabase } from 'lmdb'
import type { AuditHead, RecordKey, StoredRecord } from '../durable.js'
import { identityKey } from '../pin.js'
import type { RestoreCommit, StoredAuditEntry } from '../restore.js'
import { runTransaction } from './lmdb-commit.js'

export type Row = [version: number, text: string]

/** The databases of records, the audit log and change events. */
export interface RecordTables {
  readonly records: Database<Row, string>
  readonly audit: Database<string, string>
  readonly seqByEvent: Database<number, string>
  readonly eventBySeq: Database<string, string>
  readonly meta: Database<AuditHead, string>
}

/** The key of the audit log's head in `meta`. */
export const headKey = 'head'

export function seqKey(seq: number): string {
  return String(seq).padStart(16, '0') // sorts like numbers, up to 2^53
}

/**
 * Staged data of a restore, in separate databases of the store, opened when a restore begins. The move is one
 * transaction that blocks this process: some 3 s for 200,000 records and as many audit entries.
 */
export class StagingDatabase {
  readonly #env: RootDatabase
  readonly #live: RecordTables
  readonly #records: Database<Row, string>
  readonly #audit: Database<string, string>
  #restoreId = ''

  constructor(env: RootDatabase, live: RecordTables) {
    this.#env = env
    this.#live = live
    this.#records = env.openDB({ name: 'restoredRecords' })
    this.#audit = env.openDB({ name: 'restoredAudit', encoding: 'string' })
  }

  /** @throws WriteFailure */
  async clear(restoreId: string): Promise<void> {
    this.#restoreId = restoreId
    await runTransaction(this.#env, () => {
      this.#records.clearSync()
      this.#audit.clearSync()
    })
  }

  /** Drops the staged data of this restore. @throws WriteFailure */
  async abort(restoreId: string): Promise<void> {
    if (restoreId === this.#restoreId) await this.clear('')
  }

  /** @returns false if another restore is staged @throws WriteFailure */
  async stage(
    restoreId: string,
    records: readonly StoredRecord[],
    entries: readonly StoredAuditEntry[]
  ): Promise<boolean> {
    if (restoreId !== this.#restoreId) return false
    await runTransaction(this.#env, () => {
      for (const { key, version, text } of records) this.#records.putSync(key, [version, text])
      for (const { seq, text } of entries) this.#audit.putSync(seqKey(seq), text)
    })
    return true
  }

  get(key: RecordKey): StoredRecord | undefined {
    const row = this.#records.get(key)
    return row === undefined ? undefined : { key, version: row[0], text: row[1] }
  }

  lastEntry(): StoredAuditEntry | undefined {
    const [row] = this.#audit.getRange({ reverse: true, limit: 1 })
    return row === undefined ? undefined : { seq: Number(row.key), text: row.value }
  }

  count(): { readonly records: number; readonly entries: number } {
    return { records: entryCountOf(this.#records), entries: entryCountOf(this.#audit) }
  }

  /** @throws WriteFailure */
  commit(restoreId: string, { identity, entry }: RestoreCommit): Promise<boolean> {
    return runTransaction(this.#env, () => {
      if (restoreId !== this.#restoreId || this.hasClientsOrLicenses()) return false
      const { records, audit, seqByEvent, eventBySeq, meta } = this.#live
      for (const table of [records, audit, seqByEvent, eventBySeq]) table.clearSync()
      for (const { key, value } of this.#records.getRange()) records.putSync(key, value)
      for (const { key, value } of this.#audit.getRange()) audit.putSync(key, value)
      records.putSync(identityKey, [entry.seq, identity])
      audit.putSync(seqKey(entry.seq), entry.text)
      meta.putSync(headKey, { seq: entry.seq, hash: entry.hash })
      this.#records.clearSync()
      this.#audit.clearSync()
      this.#restoreId = ''
      return true
    })
  }

  hasClientsOrLicenses(): boolean {
    return ['client:', 'license:'].some(start => {
      const rows = this.#live.records.getKeys({ start, end: `${start}\uffff`, limit: 1 })
      return [...rows].length > 0
    })
  }
}

function entryCountOf(database: Database): number {
  const { entryCount = 0 }: { entryCount?: number } = database.getStats() // its type is {}
  return entryCount
}
