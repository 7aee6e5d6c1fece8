import type { DurableStore, RecordKey, RecordWrite } from '../store/store.js'
import type { Audit } from './audit.js'
import { RegistryError, readRecord } from './changes.js'
import type { LicenseRecord } from './license-rules.js'
import type { License, NewLicense } from './licenses.js'
import { createId } from './secrets.js'

/** Licenses of one chunk. */
export const maxChunkLicenses = 500
/** Imports whose outcome an instance remembers, so that their licenses cost no second look. */
const maxRemembered = 10_000
const chunkPage = 20

interface ImportRecord {
  readonly importId: string
  readonly status: 'open' | 'committed' | 'aborted'
  readonly licenses: number
  readonly chunks: number
  readonly startedAt: number
}

/** Licenses that a chunk has staged. */
interface ChunkRecord {
  readonly licenseIds: readonly string[]
}

/** A license of an import is refused; `index` says which of the chunk. */
export class ImportError extends RegistryError {
  readonly index: number

  constructor(index: number, message: string) {
    super('CONFLICT', message)
    this.index = index
  }
}

const currentKey: RecordKey = 'meta:import'
const keyOf = (importId: string): RecordKey => `import:${importId}`
const licenseKeyOf = (licenseId: string): RecordKey => `license:${licenseId}`

export type Imports = ReturnType<typeof createImports>

/** How far a license is there: for everyone, not yet, or only as what an ended import left behind. */
export type Presence = 'visible' | 'pending' | 'left'

/** Tells how far the licenses of imports are there. */
export function createImportOutcomes(records: DurableStore) {
  const committed = new Set<string>()

  async function presenceOf({ importId }: Pick<LicenseRecord, 'importId'>): Promise<Presence> {
    if (importId === undefined || committed.has(importId)) return 'visible'
    const stored = await records.get(keyOf(importId))
    const status = stored === undefined ? 'aborted' : readRecord<ImportRecord>(stored).status
    if (status === 'committed' && committed.size < maxRemembered) committed.add(importId)
    return status === 'committed' ? 'visible' : status === 'open' ? 'pending' : 'left'
  }

  return {
    presenceOf,
    isVisible: async (license: Pick<LicenseRecord, 'importId'>) => (await presenceOf(license)) === 'visible'
  }
}

/**
 * Imports of many licenses, all or nothing: chunks are written as licenses that nobody sees yet, and one small change
 * makes all of them seen. One import at a time; a new one ends another that was left open, by a crash say, and clears
 * what it had written.
 * @param prepare  makes the record of a new license, as `licenses.create` does
 */
export function createImports(
  records: DurableStore,
  outcomes: ReturnType<typeof createImportOutcomes>,
  prepare: (wanted: NewLicense & { readonly key: string }) => License,
  audit: Audit,
  now: () => number
) {
  const write = (key: RecordKey, expect: number, value: unknown): RecordWrite => ({
    key,
    expect,
    text: JSON.stringify(value)
  })

  async function read(importId: string): Promise<{ version: number; record: ImportRecord }> {
    const stored = await records.get(keyOf(importId))
    if (stored === undefined) throw new RegistryError('NOT_FOUND', `there is no import ${importId}`)
    return { version: stored.version, record: readRecord<ImportRecord>(stored) }
  }

  async function readOpen(importId: string) {
    const found = await read(importId)
    if (found.record.status !== 'open') throw over(importId)
    return found
  }

  function over(importId: string): RegistryError {
    return new RegistryError('CONFLICT', `the import ${importId} is over`)
  }

  /** Changes an import's status; false where somebody else did meanwhile. */
  async function finish(importId: string, status: 'committed' | 'aborted', actor: string): Promise<ImportRecord> {
    const { version, record } = await readOpen(importId)
    const done: ImportRecord = { ...record, status }
    const entry = audit.entry(actor, `import.${status === 'committed' ? 'commit' : 'abort'}`, keyOf(importId), {
      licenses: record.licenses
    })
    const result = await records.commit({ writes: [write(keyOf(importId), version, done)], audit: entry })
    if (result === 'conflict') throw over(importId)
    return done
  }

  /** Clears what an import left: its chunks, and where it was not committed their licenses. Can be cut short and redone. */
  async function clear(importId: string, keepLicenses: boolean): Promise<void> {
    for (;;) {
      const chunks = (await records.list('staged', `${importId}.`, chunkPage)).filter(({ key }) =>
        key.startsWith(`staged:${importId}.`)
      )
      if (chunks.length === 0) return
      for (const chunk of chunks) {
        const { licenseIds } = readRecord<ChunkRecord>(chunk)
        const staged = keepLicenses
          ? []
          : await Promise.all(licenseIds.map(licenseId => records.get(licenseKeyOf(licenseId))))
        const removals = staged.flatMap(stored =>
          stored !== undefined && readRecord<LicenseRecord>(stored).importId === importId
            ? [{ key: stored.key, expect: stored.version }]
            : []
        )
        const entry = audit.entry('system', 'import.clear', keyOf(importId), { licenses: removals.length })
        await records.commit({ writes: [{ key: chunk.key, expect: chunk.version }, ...removals], audit: entry })
      }
    }
  }

  return {
    /** @returns the import's id */
    async start(actor: string): Promise<string> {
      const pointer = await records.get(currentKey)
      if (pointer !== undefined) {
        const before = readRecord<{ importId: string }>(pointer).importId
        const { record } = await read(before)
        const { status } = record.status === 'open' ? await finish(before, 'aborted', actor) : record
        await clear(before, status === 'committed')
      }
      const importId = createId('imp')
      const record: ImportRecord = { importId, status: 'open', licenses: 0, chunks: 0, startedAt: now() }
      const writes = [write(keyOf(importId), 0, record), write(currentKey, pointer?.version ?? 0, { importId })]
      const result = await records.commit({ writes, audit: audit.entry(actor, 'import.start', keyOf(importId)) })
      if (result === 'conflict') throw new RegistryError('CONFLICT', 'another import was started at the same time')
      return importId
    },

    /**
     * Writes a chunk that nobody sees yet: all of it or nothing.
     * @throws ImportError with the index of a license that is there already; RegistryError NOT_FOUND, CONFLICT: over
     */
    async stage(
      importId: string,
      wanted: readonly (NewLicense & { readonly key: string })[],
      actor: string
    ): Promise<number> {
      const { version, record } = await readOpen(importId)
      const licenses = wanted.map(each => ({ ...prepare(each), importId }))
      const stored = await Promise.all(licenses.map(({ licenseId }) => records.get(licenseKeyOf(licenseId))))
      const seen = new Set<string>()
      for (const [index, { licenseId }] of licenses.entries()) {
        const existing = stored[index]
        const before = existing === undefined ? undefined : readRecord<LicenseRecord>(existing)
        const taken = before !== undefined && (before.importId === importId || (await outcomes.isVisible(before)))
        if (taken || seen.has(licenseId))
          throw new ImportError(index, 'the service has a license with this key already')
        seen.add(licenseId)
      }
      const chunks = record.chunks + 1
      const grown: ImportRecord = { ...record, chunks, licenses: record.licenses + licenses.length }
      const chunkKey: RecordKey = `staged:${importId}.${String(chunks).padStart(8, '0')}`
      const writes = [
        write(keyOf(importId), version, grown),
        write(chunkKey, 0, { licenseIds: licenses.map(({ licenseId }) => licenseId) } satisfies ChunkRecord),
        ...licenses.map((license, i) => write(licenseKeyOf(license.licenseId), stored[i]?.version ?? 0, license))
      ]
      const entry = audit.entry(actor, 'import.stage', keyOf(importId), { licenses: licenses.length })
      if ((await records.commit({ writes, audit: entry })) === 'conflict') {
        throw new RegistryError(
          'CONFLICT',
          'the import or one of its licenses was changed meanwhile: send the chunk again'
        )
      }
      return licenses.length
    },

    /** Makes all of it seen, at once. @returns how many licenses */
    async commit(importId: string, actor: string): Promise<number> {
      const { licenses } = await finish(importId, 'committed', actor)
      // It is done; what is left of its chunks hurts nobody, and the next import clears it.
      await clear(importId, true).catch(() => {})
      return licenses
    },

    /** Ends an import as if it had never been. */
    async abort(importId: string, actor: string): Promise<void> {
      await finish(importId, 'aborted', actor)
      await clear(importId, false)
    }
  }
}
