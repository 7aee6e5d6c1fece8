import type { Change, DurableStore, StoredRecord } from '../store/store.js'
import { lostRaces, maxAttempts } from './records.js'

/** Records that one commit rewrites, and the characters of their texts; at least one record. */
const maxBatchRecords = 500
const maxBatchChars = 1_048_576

export interface Rewriting {
  readonly durable: DurableStore
  /** Returns the new text of a record; undefined: unchanged. Called again if the record changed meanwhile. */
  readonly textOf: (stored: StoredRecord) => string | undefined
  /** The audit entry of a commit that rewrites this number of records. */
  readonly entry: (records: number) => Change['audit']
}

function batchesOf(records: readonly StoredRecord[]): StoredRecord[][] {
  const batches: StoredRecord[][] = []
  let chars = 0
  for (const record of records) {
    const batch = batches.at(-1)
    chars += record.text.length
    if (batch !== undefined && batch.length < maxBatchRecords && chars <= maxBatchChars) batch.push(record)
    else {
      batches.push([record])
      chars = record.text.length
    }
  }
  return batches
}

async function rewriteBatch(rewriting: Rewriting, batch: readonly StoredRecord[]): Promise<number> {
  const { durable, textOf, entry } = rewriting
  let current = batch
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const writes = current.flatMap(stored => {
      const text = textOf(stored)
      return text === undefined ? [] : [{ key: stored.key, expect: stored.version, text }]
    })
    if (writes.length === 0) return 0
    if ((await durable.commit({ writes, audit: entry(writes.length) })) !== 'conflict') return writes.length
    const read = await Promise.all(current.map(({ key }) => durable.get(key)))
    current = read.flatMap(stored => stored ?? [])
  }
  throw lostRaces(batch[0]?.key ?? 'meta:none')
}

/**
 * Rewrites the records of one page that need it, in commits of bounded size.
 * @returns the number of rewritten records
 * @throws StoreUnavailable
 */
export async function rewriteRecords(rewriting: Rewriting, page: readonly StoredRecord[]): Promise<number> {
  let rewritten = 0
  for (const batch of batchesOf(page)) rewritten += await rewriteBatch(rewriting, batch)
  return rewritten
}
