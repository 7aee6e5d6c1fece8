import { createHash } from 'node:crypto'
import { lostParts } from '../store/durable.js'
import { RecordLost, StoreDamaged } from '../store/pin.js'
import { recordKinds, type StoredAuditEntry } from '../store/restore.js'
import { identityKey, type Store, type StoredRecord, StoreUnavailable } from '../store/store.js'
import type { AuditLog } from './audit.js'
import { anchorKey } from './audit-anchor.js'
import type { IdentityWatch } from './identity-watch.js'
import type { Keyring } from './keyring.js'
import { RegistryError } from './records.js'
import { currentSchema } from './schema-in-use.js'

/**
 * A backup: lines of JSON. The first describes it and carries the store's identity, the last has the counts, a digest
 * of all lines between them, and a signature. Records and audit entries are as stored: sealed.
 */

/** Format of the lines. A backup of another format is refused. */
export const backupFormat = 1

/** The first line. */
export interface BackupHeader {
  readonly countersignBackup: number
  readonly storeId: string
  readonly schemaVersion: number
  /** ISO 8601. */
  readonly createdAt: string
  /** The text of the store's identity record. */
  readonly identity: string
}

/** The last line. */
export interface BackupTrailer {
  readonly records: number
  readonly entries: number
  /** SHA-256 of the lines between the first and the last one, each with its line feed, in hex. */
  readonly sha256: string
  /** Proves that a gateway with the master key wrote these counts and this digest, for this identity. */
  readonly signature: string
}

export type BackupLine =
  | { readonly record: readonly [key: string, version: number, text: string] }
  | { readonly entry: readonly [seq: number, text: string] }
  | { readonly end: BackupTrailer }

/** Records and entries per read from the store. */
const pageRecords = 500

/** The signed text of a trailer. */
export function signedTextOf(identity: string, { records, entries, sha256 }: Omit<BackupTrailer, 'signature'>): string {
  return `backup ${identity} ${records} ${entries} ${sha256}`
}

export interface BackupDependencies {
  readonly store: Pick<Store, 'durable'>
  readonly identity: IdentityWatch
  readonly keyring: Keyring
  readonly audit: AuditLog
  /** Unix milliseconds. */
  readonly now: () => number
}

/**
 * The order in which kinds are read. Imports come first: licenses staged after their import was read as open stay
 * invisible, and an import that was read as committed has all its licenses.
 */
const readOrder = ['import', ...recordKinds.filter(kind => kind !== 'import')] as const

async function* recordsOf({ durable }: BackupDependencies['store']): AsyncGenerator<readonly StoredRecord[]> {
  for (const kind of readOrder) {
    for (let after = ''; ; ) {
      const page = await durable.list(kind, after, pageRecords)
      const lost = page.find(({ isLost }) => isLost)
      if (lost !== undefined) throw new RecordLost(lost.key)
      // The identity is in the first line, and may change during the backup. The anchor of the log comes last.
      yield page.filter(({ key }) => key !== identityKey && key !== anchorKey)
      const last = page.at(-1)
      if (last === undefined || page.length < pageRecords) break
      after = last.key.slice(kind.length + 1)
    }
  }
}

/** Read last, so that its numbers are not below the versions of the records. */
async function* entriesOf({ durable }: BackupDependencies['store']): AsyncGenerator<readonly StoredAuditEntry[]> {
  for (let after = 0; ; ) {
    const page = await durable.auditAfter(after, pageRecords)
    const isCut = after > 0 && page.length > 0 && page[0]?.seq !== after + 1
    if (isCut)
      throw new StoreUnavailable(new Error('the audit log was cut during the backup: start it again'), 'unsent')
    yield page
    const last = page.at(-1)
    if (last === undefined || page.length < pageRecords) return
    after = last.seq
  }
}

/**
 * Begins a backup. A change during the backup may be included or not.
 * @param actor  for the audit log
 * @returns the backup in pieces of bounded size; a failure of the store rejects the next piece
 * @throws RegistryError CONFLICT while the store has the schema of an earlier version; StoreDamaged, StoreUnavailable
 */
export async function startBackup(dependencies: BackupDependencies, actor: string): Promise<AsyncGenerator<string>> {
  const { store, audit, identity } = dependencies
  const { schemaVersion } = identity.identity
  const stored = await store.durable.get(identityKey)
  if (stored === undefined || schemaVersion !== currentSchema) {
    throw new RegistryError('CONFLICT', 'instances of an earlier version use the store: stop them, then make a backup')
  }
  const damage = await store.durable.damage.find()
  if (lostParts(damage).length > 0) throw new StoreDamaged(damage)
  // From the reserve: a full store must still be readable.
  const entry = audit.entry(actor, 'store.backup', 'store')
  await store.durable.commit({ writes: [], audit: entry, isProtective: true })
  return writeBackup(dependencies, stored.text)
}

async function* writeBackup(
  { store, keyring, now, identity: watch }: BackupDependencies,
  identity: string
): AsyncGenerator<string> {
  const { id, schemaVersion } = watch.identity
  const createdAt = new Date(now()).toISOString()
  const header: BackupHeader = { countersignBackup: backupFormat, storeId: id, schemaVersion, createdAt, identity }
  yield `${JSON.stringify(header)}\n`
  const digest = createHash('sha256')
  const counts = { records: 0, entries: 0 }
  const textOf = (lines: readonly BackupLine[]) => {
    const text = lines.map(line => `${JSON.stringify(line)}\n`).join('')
    digest.update(text)
    return text
  }
  for await (const page of recordsOf(store)) {
    counts.records += page.length
    if (page.length > 0) yield textOf(page.map(({ key, version, text }) => ({ record: [key, version, text] })))
  }
  for await (const page of entriesOf(store)) {
    counts.entries += page.length
    if (page.length > 0) yield textOf(page.map(({ seq, text }) => ({ entry: [seq, text] })))
  }
  // After the entries: the kept ones follow it, even if the log was cut meanwhile.
  const anchor = await store.durable.get(anchorKey)
  if (anchor !== undefined) {
    counts.records++
    yield textOf([{ record: [anchor.key, anchor.version, anchor.text] }])
  }
  const unsigned = { ...counts, sha256: digest.digest('hex') }
  const signature = keyring.signBackup(signedTextOf(identity, unsigned))
  yield `${JSON.stringify({ end: { ...unsigned, signature } } satisfies BackupLine)}\n`
}
