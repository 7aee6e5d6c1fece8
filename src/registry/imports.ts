import type { DurableStore, RecordKey, RecordWrite, StoredRecord } from '../store/store.js'
import type { AuditLog } from './audit.js'
import type { ImportRecord, ImportStatus } from './import-status.js'
import type { ImportedLicense, LicenseFactory } from './license-factory.js'
import type { License } from './license-rules.js'
import { openIfReadable, type RecordAccess, type RecordSealer, RegistryError, UnreadableRecord } from './records.js'
import { createId } from './secrets.js'

/** Most licenses of one chunk. */
export const maxChunkLicenses = 500
/** Chunks read per round trip while clearing. */
const clearBatch = 20

/** The ids of the licenses staged by one chunk. */
interface ChunkRecord {
  readonly licenseIds: readonly string[]
}

interface OpenImport {
  readonly version: number
  readonly record: ImportRecord
}

/** A license of a chunk was refused. */
export class ImportError extends RegistryError {
  /** Position in the chunk, from 0. */
  readonly index: number

  constructor(index: number, message: string) {
    super('CONFLICT', message)
    this.index = index
  }
}

/** Key of the record that names the most recent import. */
const currentKey: RecordKey = 'meta:import'

function importKey(importId: string): RecordKey {
  return `import:${importId}`
}

function licenseKey(licenseId: string): RecordKey {
  return `license:${licenseId}`
}

/** Chunks are listed by their import, in order of their numbers. */
function chunkKey(importId: string, chunk: number): RecordKey {
  return `staged:${importId}.${String(chunk).padStart(8, '0')}`
}

function closed(importId: string): RegistryError {
  return new RegistryError('CONFLICT', `the import ${importId} is over: start a new one`)
}

/**
 * Imports of many licenses, all or nothing. Chunks are written as invisible licenses, and one small change makes all of
 * them visible. One import is open at a time: starting one aborts the previous open import, e.g. after a crash, and
 * removes its staged licenses.
 */
export class Imports {
  readonly #durable: DurableStore
  readonly #sealer: RecordSealer
  readonly #status: ImportStatus
  readonly #factory: LicenseFactory
  readonly #audit: AuditLog
  readonly #now: () => number

  constructor(
    { durable, sealer }: RecordAccess,
    status: ImportStatus,
    factory: LicenseFactory,
    audit: AuditLog,
    now: () => number
  ) {
    this.#durable = durable
    this.#sealer = sealer
    this.#status = status
    this.#factory = factory
    this.#audit = audit
    this.#now = now
  }

  /**
   * @returns the import's id
   * @throws RegistryError CONFLICT: another import started concurrently
   */
  async start(actor: string): Promise<string> {
    const pointer = await this.#durable.get(currentKey)
    if (pointer !== undefined) await this.#endPrevious(pointer, actor)
    const importId = createId('imp')
    const record: ImportRecord = { importId, status: 'open', licenses: 0, chunks: 0, startedAt: this.#now() }
    const writes = [
      this.#write(importKey(importId), 0, record),
      this.#write(currentKey, pointer?.version ?? 0, { importId })
    ]
    const audit = this.#audit.entry(actor, 'import.start', importKey(importId))
    if ((await this.#durable.commit({ writes, audit })) === 'conflict') {
      throw new RegistryError('CONFLICT', 'another import was started at the same time')
    }
    return importId
  }

  /**
   * Stages a chunk of invisible licenses, all or nothing.
   * @param wanted  at most {@link maxChunkLicenses}
   * @returns the number of licenses staged
   * @throws ImportError with the index of a license that exists already, or whose key's hash is refused; RegistryError NOT_FOUND, CONFLICT
   */
  async stage(importId: string, wanted: readonly ImportedLicense[], actor: string): Promise<number> {
    const { version, record } = await this.#readOpen(importId)
    const licenses = wanted.map((each, index) => ({ ...this.#create(each, index), importId }))
    const licenseIds = licenses.map(({ licenseId }) => licenseId)
    const existing = await Promise.all(licenseIds.map(licenseId => this.#durable.get(licenseKey(licenseId))))
    await this.#requireNew(importId, licenseIds, existing)
    const chunks = record.chunks + 1
    const grown: ImportRecord = { ...record, chunks, licenses: record.licenses + licenses.length }
    const writes = [
      this.#write(importKey(importId), version, grown),
      this.#write(chunkKey(importId, chunks), 0, { licenseIds } satisfies ChunkRecord),
      ...licenses.map((license, i) => this.#write(licenseKey(license.licenseId), existing[i]?.version ?? 0, license))
    ]
    const audit = this.#audit.entry(actor, 'import.stage', importKey(importId), { licenses: licenses.length })
    if ((await this.#durable.commit({ writes, audit })) === 'conflict') {
      throw new RegistryError('CONFLICT', 'the import or one of its licenses has just changed: send the chunk again')
    }
    return licenses.length
  }

  /**
   * Makes all licenses of the import visible at once.
   * @returns the number of licenses
   * @throws RegistryError NOT_FOUND, CONFLICT: the import is over
   */
  async commit(importId: string, actor: string): Promise<number> {
    const { licenses } = await this.#finish(importId, 'committed', actor)
    // The import is done. Remaining chunk records are harmless, and the next import removes them.
    await this.#clear(importId, true).catch(() => {})
    return licenses
  }

  /** Ends the import and removes its licenses. @throws RegistryError NOT_FOUND, CONFLICT: the import is over */
  async abort(importId: string, actor: string): Promise<void> {
    await this.#finish(importId, 'aborted', actor)
    await this.#clear(importId, false)
  }

  /** @throws ImportError */
  #create(wanted: ImportedLicense, index: number): License {
    try {
      return this.#factory.createImported(wanted)
    } catch (error) {
      throw error instanceof RegistryError ? new ImportError(index, error.message) : error
    }
  }

  #write(key: RecordKey, expect: number, value: unknown): RecordWrite {
    return { key, expect, text: this.#sealer.seal(key, value) }
  }

  /** An import with unreadable records stays unchanged, and its licenses stay invisible. */
  async #endPrevious(pointer: StoredRecord, actor: string): Promise<void> {
    try {
      const { importId } = this.#sealer.open<{ importId: string }>(pointer)
      const { record } = await this.#read(importId)
      const { status } = record.status === 'open' ? await this.#finish(importId, 'aborted', actor) : record
      await this.#clear(importId, status === 'committed')
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error
    }
  }

  async #read(importId: string): Promise<OpenImport> {
    const stored = await this.#durable.get(importKey(importId))
    if (stored === undefined) throw new RegistryError('NOT_FOUND', `there is no import ${importId}`)
    return { version: stored.version, record: this.#sealer.open<ImportRecord>(stored) }
  }

  async #readOpen(importId: string): Promise<OpenImport> {
    const found = await this.#read(importId)
    if (found.record.status !== 'open') throw closed(importId)
    return found
  }

  /** @throws ImportError for the first license that exists already or is repeated in the chunk */
  async #requireNew(
    importId: string,
    licenseIds: readonly string[],
    existing: readonly (StoredRecord | undefined)[]
  ): Promise<void> {
    const seen = new Set<string>()
    for (const [index, licenseId] of licenseIds.entries()) {
      const stored = existing[index]
      if (seen.has(licenseId) || (stored !== undefined && (await this.#exists(importId, stored, index)))) {
        throw new ImportError(index, 'the service has a license with this key already')
      }
      seen.add(licenseId)
    }
  }

  /** @throws ImportError if this is unknown, because a record cannot be opened */
  async #exists(importId: string, stored: StoredRecord, index: number): Promise<boolean> {
    try {
      const license = this.#sealer.open<License>(stored)
      return license.importId === importId || (await this.#status.isVisible(license))
    } catch (error) {
      throw error instanceof UnreadableRecord ? new ImportError(index, error.message) : error
    }
  }

  async #finish(importId: string, status: 'committed' | 'aborted', actor: string): Promise<ImportRecord> {
    const { version, record } = await this.#readOpen(importId)
    const finished: ImportRecord = { ...record, status }
    const action = status === 'committed' ? 'import.commit' : 'import.abort'
    const audit = this.#audit.entry(actor, action, importKey(importId), { licenses: record.licenses })
    const writes = [this.#write(importKey(importId), version, finished)]
    const isProtective = status === 'aborted'
    if ((await this.#durable.commit({ writes, audit, isProtective })) === 'conflict') throw closed(importId)
    return finished
  }

  /** Removes the import's chunk records and, unless they are kept, its licenses. Can be interrupted and repeated. */
  async #clear(importId: string, keepLicenses: boolean): Promise<void> {
    for (;;) {
      const page = await this.#durable.list('staged', `${importId}.`, clearBatch)
      const chunks = page.filter(({ key }) => key.startsWith(`staged:${importId}.`))
      if (chunks.length === 0) return
      for (const chunk of chunks) {
        const removals = keepLicenses ? [] : await this.#removalsOf(importId, chunk)
        const audit = this.#audit.entry('system', 'import.clear', importKey(importId), { licenses: removals.length })
        const writes = [{ key: chunk.key, expect: chunk.version }, ...removals]
        await this.#durable.commit({ writes, audit, isProtective: true })
      }
    }
  }

  /** Unreadable records stay: a license may belong to another import, and lists name it. */
  async #removalsOf(importId: string, chunk: StoredRecord): Promise<readonly RecordWrite[]> {
    const licenseIds = openIfReadable<ChunkRecord>(this.#sealer, chunk)?.licenseIds ?? []
    const licenses = await Promise.all(licenseIds.map(licenseId => this.#durable.get(licenseKey(licenseId))))
    return licenses.flatMap(stored =>
      stored !== undefined && openIfReadable<License>(this.#sealer, stored)?.importId === importId
        ? [{ key: stored.key, expect: stored.version }]
        : []
    )
  }
}
