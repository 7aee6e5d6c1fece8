import { type Database, open, type RootDatabase } from 'lmdb'
import { type ChangeEvent, formatChangeEvent, parseChangeEvent, type SequencedChange } from '../change-event.js'
import { type AuditHead, type Change, maxCutEntries, type RecordKey, type StoredRecord } from '../durable.js'
import { runTransaction } from './lmdb-commit.js'
import { headKey, type RecordTables, type Row, StagingDatabase, seqKey } from './staging-database.js'

const probeKey = 'probe'

/** A key that sorts after every key with this prefix. */
function endOf(prefix: string): string {
  return `${prefix}\uffff`
}

/**
 * Records, audit log and change events in LMDB: copy-on-write B-trees, so that a killed process leaves the last
 * committed state. Transactions are committed in batches by a thread of LMDB; each resolves when its batch is on disk.
 */
export class RecordDatabase {
  readonly #env: RootDatabase
  readonly #maxChangeEvents: number
  readonly #records: Database<Row, string>
  readonly #audit: Database<string, string>
  /** From an event's text to the number of its newest change, and back. Their names are older than the term "event". */
  readonly #seqByEvent: Database<number, string>
  readonly #eventBySeq: Database<string, string>
  readonly #meta: Database<AuditHead, string>
  #staging: StagingDatabase | undefined

  /** @param path  the database file, prepared by {@link prepareDatabaseFiles} */
  constructor(path: string, maxChangeEvents: number) {
    // Without overlapping syncs a transaction's promise means that it is on disk, not merely in the page cache.
    this.#env = open({ path, maxDbs: 8, overlappingSync: false, noSubdir: true })
    this.#maxChangeEvents = maxChangeEvents
    try {
      this.#records = this.#env.openDB({ name: 'records' })
      this.#audit = this.#env.openDB({ name: 'audit', encoding: 'string' })
      this.#seqByEvent = this.#env.openDB({ name: 'topics' })
      this.#eventBySeq = this.#env.openDB({ name: 'topicsBySeq', encoding: 'string' })
      this.#meta = this.#env.openDB({ name: 'meta' })
    } catch (error) {
      void this.#env.close()
      throw error
    }
  }

  get(key: RecordKey): StoredRecord | undefined {
    const row = this.#records.get(key)
    return row === undefined ? undefined : { key, version: row[0], text: row[1] }
  }

  list(kind: string, after: string, limit: number): readonly StoredRecord[] {
    const start = `${kind}:${after}`
    const rows = this.#records.getRange({ start, end: endOf(`${kind}:`), limit: limit + 1 })
    return [...rows]
      .filter(({ key }) => after === '' || key !== start)
      .slice(0, limit)
      .map(({ key, value }) => ({
        key: `${kind}:${key.slice(kind.length + 1)}` as const,
        version: value[0],
        text: value[1]
      }))
  }

  auditHead(): AuditHead {
    return this.#meta.get(headKey) ?? { seq: 0, hash: '' }
  }

  auditAfter(after: number, limit: number): readonly { readonly seq: number; readonly text: string }[] {
    const rows = this.#audit.getRange({ start: seqKey(after + 1), limit })
    return [...rows].map(({ key, value }) => ({ seq: Number(key), text: value }))
  }

  changesAfter(after: number, limit: number): readonly SequencedChange[] {
    const rows = this.#eventBySeq.getRange({ start: seqKey(after + 1), limit })
    return [...rows].map(({ key, value }) => ({ seq: Number(key), event: parseChangeEvent(value) }))
  }

  lastChange(event: ChangeEvent): number | undefined {
    return this.#seqByEvent.get(formatChangeEvent(event))
  }

  /** @throws WriteFailure */
  commit(change: Change): Promise<number | 'conflict'> {
    return runTransaction(this.#env, () => this.#apply(change))
  }

  /** Staged data of a restore, in separate databases. */
  get staging(): StagingDatabase {
    this.#staging ??= new StagingDatabase(this.#env, this.#tables())
    return this.#staging
  }

  #tables(): RecordTables {
    return {
      records: this.#records,
      audit: this.#audit,
      seqByEvent: this.#seqByEvent,
      eventBySeq: this.#eventBySeq,
      meta: this.#meta
    }
  }

  /** Writes something to test whether writes work. @throws WriteFailure */
  async probe(): Promise<void> {
    await runTransaction(this.#env, () => this.#meta.putSync(probeKey, { seq: 0, hash: '' }))
  }

  close(): Promise<void> {
    return this.#env.close()
  }

  /** Runs inside LMDB's transaction: data read here does not change before the commit. */
  #apply({ writes, audit, event, cutAuditThrough = 0 }: Change): number | 'conflict' {
    for (const { key, expect } of writes) {
      if ((this.#records.get(key)?.[0] ?? 0) !== expect) return 'conflict'
    }
    const head = this.auditHead()
    const entry = audit(head)
    const seq = head.seq + 1
    for (const { key, text } of writes) {
      if (text === undefined) this.#records.removeSync(key)
      else this.#records.putSync(key, [seq, text])
    }
    if (cutAuditThrough > 0) this.#cutAudit(cutAuditThrough)
    this.#audit.putSync(seqKey(seq), entry.text)
    this.#meta.putSync(headKey, { seq, hash: entry.hash })
    if (event !== undefined) this.#addEvent(formatChangeEvent(event), seq)
    return seq
  }

  #cutAudit(through: number): void {
    const keys = [...this.#audit.getKeys({ end: seqKey(through + 1), limit: maxCutEntries })]
    for (const key of keys) this.#audit.removeSync(key)
  }

  #addEvent(event: string, seq: number): void {
    const before = this.#seqByEvent.get(event)
    if (before !== undefined) this.#eventBySeq.removeSync(seqKey(before))
    this.#seqByEvent.putSync(event, seq)
    this.#eventBySeq.putSync(seqKey(seq), event)
    const { entryCount = 0 }: { entryCount?: number } = this.#eventBySeq.getStats() // its type is {}
    if (entryCount <= this.#maxChangeEvents) return
    const [oldest] = this.#eventBySeq.getRange({ limit: 1 })
    if (oldest === undefined) return
    this.#seqByEvent.removeSync(oldest.value)
    this.#eventBySeq.removeSync(oldest.key)
  }
}
