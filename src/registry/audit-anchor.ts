import type { AuditHead, RecordKey } from '../store/store.js'
import { type RecordAccess, RecordTable } from './records.js'

/**
 * The newest entry that was cut from the audit log. It is sealed in a record of its own, so that nobody without the
 * master key can cut the log: the oldest entry that is kept follows it.
 */
export interface AuditAnchor extends AuditHead {
  /** When that entry was made, ISO 8601. */
  readonly at: string
}

export const anchorId = 'audit'
export const anchorKey: RecordKey = `meta:${anchorId}`

export function anchorTable(records: RecordAccess): RecordTable<AuditAnchor> {
  return new RecordTable(records, 'meta')
}
