import { chmodSync } from 'node:fs'
import { type Database, open, type RootDatabase } from 'lmdb'
import { formatChangeEvent, parseChangeEvent } from '../change-event.js'
import {
  type AuditHead,
  type Change,
  type DurableStore,
  maxChangeEvents,
  type RecordKey,
  type StoredRecord,
  StoreUnavailable
} from '../store.js'

/**
 * Records in LMDB: copy-on-write B-trees, so a process that is killed leaves the last committed state. Transactions
 * are queued and committed in batches by LMDB's own thread; a change resolves after its batch is on disk.
 */

type Row = [version: number, text: string]

const headKey = 'head'

function seqKey(seq: number): string {
  return String(seq).padStart(16, '0') // sorts as numbers do, up to 2^53
}

interface Tables {
  readonly records: Database<Row, string>
  readonly audit: Database<string, string>
  readonly topics: Database<number, string>
  readonly topicsBySeq: Database<string, string>
  readonly meta: Database<AuditHead, string>
}

function openTables(env: RootDatabase): Tables {
  return {
    records: env.openDB({ name: 'records' }),
    audit: env.openDB({ name: 'audit', encoding: 'string' }),
    topics: env.openDB({ name: 'topics' }),
    topicsBySeq: env.openDB({ name: 'topicsBySeq', encoding: 'string' }),
    meta: env.openDB({ name: 'meta' })
  }
}

/** The next key in sort order after every key with this prefix. */
function after(prefix: string): string {
  return `${prefix}\uffff`
}

/**
 * @param path        the database file; its folder exists
 * @param topicsKept  see {@link maxChangeEvents}
 */
export function openEmbeddedDurable(
  path: string,
  topicsKept: number = maxChangeEvents
): DurableStore & { ping(): Promise<void>; close(): Promise<void> } {
  // Without overlapping syncs a transaction's promise means that it is on disk, not merely in the page cache.
  const env = open({ path, maxDbs: 8, overlappingSync: false, noSubdir: true })
  for (const file of [path, `${path}-lock`]) chmodSync(file, 0o600)
  const tables = openTables(env)
  const listeners = new Set<() => void>()
  let failing = false

  function read(key: RecordKey): StoredRecord | undefined {
    const row = tables.records.get(key)
    return row === undefined ? undefined : { key, version: row[0], text: row[1] }
  }

  function readHead(): AuditHead {
    return tables.meta.get(headKey) ?? { seq: 0, hash: '' }
  }

  function forgetOldTopic(): void {
    const { entryCount = 0 }: { entryCount?: number } = tables.topicsBySeq.getStats() // its type is {}
    if (entryCount <= topicsKept) return
    const [oldest] = tables.topicsBySeq.getRange({ limit: 1 })
    if (oldest === undefined) return
    tables.topics.removeSync(oldest.value)
    tables.topicsBySeq.removeSync(oldest.key)
  }

  /** A full disk, say: what was asked for did not happen, and the store is not ready until a write works again. */
  async function written<T>(act: () => T): Promise<T> {
    try {
      const result = await env.transaction(act)
      failing = false
      return result
    } catch (error) {
      failing = true
      throw new StoreUnavailable(error)
    }
  }

  /** Runs inside LMDB's transaction: what is read here nobody else changes before the commit. */
  function apply(change: Change): number | 'conflict' {
    for (const { key, expect } of change.writes) {
      if ((tables.records.get(key)?.[0] ?? 0) !== expect) return 'conflict'
    }
    const head = readHead()
    const entry = change.audit(head)
    const seq = head.seq + 1
    for (const { key, text } of change.writes) {
      if (text === undefined) tables.records.removeSync(key)
      else tables.records.putSync(key, [seq, text])
    }
    tables.audit.putSync(seqKey(seq), entry.text)
    tables.meta.putSync(headKey, { seq, hash: entry.hash })
    if (change.event !== undefined) {
      const event = formatChangeEvent(change.event)
      const before = tables.topics.get(event)
      if (before !== undefined) tables.topicsBySeq.removeSync(seqKey(before))
      tables.topics.putSync(event, seq)
      tables.topicsBySeq.putSync(seqKey(seq), event)
      forgetOldTopic()
    }
    return seq
  }

  return {
    async get(key) {
      return read(key)
    },
    async list(kind, afterId, limit) {
      const start = `${kind}:${afterId}`
      const rows = tables.records.getRange({ start, end: after(`${kind}:`), limit: limit + 1 })
      return [...rows]
        .filter(({ key }) => afterId === '' || key !== start)
        .slice(0, limit)
        .map(({ key, value }) => ({
          key: `${kind}:${key.slice(kind.length + 1)}` as const,
          version: value[0],
          text: value[1]
        }))
    },
    async commit(change) {
      const result = await written(() => apply(change))
      if (result !== 'conflict' && change.event !== undefined) for (const listener of listeners) listener()
      return result
    },
    async auditAfter(seq, limit) {
      const rows = tables.audit.getRange({ start: seqKey(seq + 1), limit })
      return [...rows].map(({ key, value }) => ({ seq: Number(key), text: value }))
    },
    async auditHead() {
      return readHead()
    },
    async changesAfter(seq, limit) {
      const rows = tables.topicsBySeq.getRange({ start: seqKey(seq + 1), limit })
      return [...rows].map(({ key, value }) => ({ seq: Number(key), event: parseChangeEvent(value) }))
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async ping() {
      if (failing) await written(() => tables.meta.putSync('probe', { seq: 0, hash: '' }))
    },
    close: () => env.close()
  }
}
