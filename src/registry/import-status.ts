import type { License } from './license-rules.js'
import { type RecordAccess, RecordTable } from './records.js'

export interface ImportRecord {
  readonly importId: string
  readonly status: 'open' | 'committed' | 'aborted'
  readonly licenses: number
  readonly chunks: number
  /** Unix milliseconds. */
  readonly startedAt: number
}

/**
 * Visibility of a license: visible, not yet visible (its import is open), or never visible (its import was aborted).
 */
export type Visibility = 'visible' | 'pending' | 'abandoned'

/** Committed imports that an instance remembers, to save a second read for their licenses. */
const maxRemembered = 10_000

/** Whether licenses are visible: an imported license is visible once its import was committed. */
export class ImportStatus {
  readonly #table: RecordTable<ImportRecord>
  readonly #committed = new Set<string>()

  constructor(records: RecordAccess) {
    this.#table = new RecordTable(records, 'import')
  }

  /** @throws UnreadableRecord, StoreUnavailable */
  async visibilityOf({ importId }: Pick<License, 'importId'>): Promise<Visibility> {
    if (importId === undefined || this.#committed.has(importId)) return 'visible'
    const status = (await this.#table.get(importId))?.status ?? 'aborted'
    if (status === 'committed' && this.#committed.size < maxRemembered) this.#committed.add(importId)
    return status === 'committed' ? 'visible' : status === 'open' ? 'pending' : 'abandoned'
  }

  /** @throws UnreadableRecord, StoreUnavailable */
  async isVisible(license: Pick<License, 'importId'>): Promise<boolean> {
    return (await this.visibilityOf(license)) === 'visible'
  }
}
