import type { AuditHead, RecordKey } from '../store/store.js'
import { type RecordAccess, RecordTable } from './records.js'

/**
 * The newest entry that was cut from the audit log. It is sealed in a record of its own, so that nobody can cut the log
 * without the master key: the oldest kept entry follows it.
 */
export interface AuditAnchor extends AuditHead {
  /** Time of that entry, ISO 8601. */
  readonly at: string
}

export const anchorId = 'audit'
export const anchorKey: RecordKey = `meta:${anchorId}`

export function anchorTable(records: RecordAccess): RecordTable<AuditAnchor> {
  return new RecordTable(records, 'meta')
}
