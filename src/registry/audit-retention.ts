import { maxCutEntries } from '../store/durable.js'
import type { AuditHead, StoredRecord } from '../store/store.js'
import type { AuditLog } from './audit.js'
import { type AuditAnchor, anchorKey } from './audit-anchor.js'
import { checkEntry } from './audit-chain.js'
import type { Hasher } from './keyring.js'
import { type RecordAccess, UnreadableRecord } from './records.js'
import type { RegistryLog } from './unreadable.js'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** Retry delay after a failure, in milliseconds. */
const retryMs = 60_000

export interface AuditRetentionOptions {
  readonly records: RecordAccess
  readonly audit: Pick<AuditLog, 'entry'>
  readonly hash: Hasher
  readonly log: RegistryLog
  /** Unix milliseconds. */
  readonly now: () => number
  /** Retention of entries in days; 0: unlimited. */
  readonly days: number
}

/**
 * Cuts the audit log at the start and hourly. Each step removes old entries, moves the sealed anchor and adds an entry
 * `audit.cut`, all in one change. If several instances cut concurrently, one succeeds. Only entries with a valid chain
 * are removed, so that a cut hides no forgery.
 */
export class AuditRetention {
  readonly #options: AuditRetentionOptions
  #nextAt = Number.NEGATIVE_INFINITY
  #reportedAt = 0

  constructor(options: AuditRetentionOptions) {
    this.#options = options
  }

  /** Call it about once a second. @throws StoreUnavailable */
  async tick(): Promise<void> {
    const { days, now } = this.#options
    const at = now()
    // The wall clock may have been set back.
    if (days === 0 || (at < this.#nextAt && this.#nextAt - at <= hourMs)) return
    this.#nextAt = at + hourMs
    try {
      let removed: number
      do removed = await this.#cut(at - days * dayMs)
      while (removed === maxCutEntries)
    } catch (error) {
      // The sealer has already reported it.
      if (error instanceof UnreadableRecord) return
      this.#nextAt = at + retryMs
      throw error
    }
  }

  /** @returns the number of removed entries */
  async #cut(before: number): Promise<number> {
    const { records, audit } = this.#options
    const { durable, sealer } = records
    const stored = await durable.get(anchorKey)
    const from: AuditHead = stored === undefined ? { seq: 0, hash: '' } : sealer.open<AuditAnchor>(stored)
    const last = await this.#lastBefore(before, from)
    if (last === undefined) return 0
    const entries = last.seq - from.seq
    const committed = await durable.commit({
      writes: [{ key: anchorKey, expect: versionOf(stored), text: sealer.seal(anchorKey, last) }],
      audit: audit.entry('system', 'audit.cut', 'audit', { through: last.seq, entries }),
      cutAuditThrough: last.seq,
      isProtective: true
    })
    // A conflict: another instance is cutting.
    return committed === 'conflict' ? 0 : entries
  }

  /** The newest of the next entries that is older than `before`; undefined if there is none. */
  async #lastBefore(before: number, from: AuditHead): Promise<AuditAnchor | undefined> {
    const { records, hash } = this.#options
    let last: AuditAnchor | undefined
    for (const { text } of await records.durable.auditAfter(from.seq, maxCutEntries)) {
      const entry = checkEntry(text, last ?? from, hash)
      if (entry === undefined) {
        this.#reportBroken((last ?? from).seq + 1)
        return last
      }
      if (!(Date.parse(entry.at) < before)) return last
      last = { seq: entry.seq, hash: entry.hash, at: entry.at }
    }
    return last
  }

  #reportBroken(seq: number): void {
    if (this.#reportedAt === seq) return
    this.#reportedAt = seq
    this.#options.log.warn(
      { seq },
      'the audit log is not cut further, because this entry is not intact: run `countersign audit verify`'
    )
  }
}

function versionOf(stored: StoredRecord | undefined): number {
  return stored?.version ?? 0
}
