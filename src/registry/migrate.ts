import type { StoredRecord } from '../store/store.js'
import type { AuditLog } from './audit.js'
import { isPlainRecord, pepperKey } from './pepper.js'
import type { RecordAccess } from './records.js'
import { recordKinds, rewriteRecords } from './rewrite.js'

/** Records read per round trip. */
const pageRecords = 500

/**
 * Seals every record of a store that an earlier version wrote. It can be interrupted and repeated, and several instances
 * may do it at the same time.
 * @returns the number of records that were sealed
 * @throws StoreUnavailable
 */
export async function sealRecords({ durable, sealer }: RecordAccess, audit: AuditLog): Promise<number> {
  const textOf = ({ key, text }: StoredRecord) =>
    key !== pepperKey && isPlainRecord({ text }) ? sealer.seal(key, JSON.parse(text)) : undefined
  let sealed = 0
  for (const kind of recordKinds) {
    const entry = (records: number) => audit.entry('system', 'store.seal', 'store', { kind, records })
    for (let after = ''; ; ) {
      const page = await durable.list(kind, after, pageRecords)
      sealed += await rewriteRecords({ durable, textOf, entry }, page)
      const last = page.at(-1)
      if (last === undefined || page.length < pageRecords) break
      after = last.key.slice(kind.length + 1)
    }
  }
  return sealed
}
