import type { StoredAuditEntry } from '../store/restore.js'
import { lostParts, type RecordKey, type Store, type StoredRecord, StoreUnavailable } from '../store/store.js'
import { CannotUnseal } from './aead.js'
import { createEntryMaker } from './audit.js'
import { type BackupHeader, type BackupTrailer, backupFormat, signedTextOf } from './backup.js'
import { decodeIdentity, encodeIdentity, type StoreIdentity, UnusableStore } from './identity.js'
import type { IdentityWatch } from './identity-watch.js'
import type { Keyring } from './keyring.js'
import { Pepper, pepperKey } from './pepper.js'
import { RegistryError } from './records.js'
import { createId } from './secrets.js'

/** Most records and audit entries of one chunk. */
export const maxChunkLines = 500
/** Most records of a restored backup: the store moves them in one step, which blocks all other calls. */
export const maxRestoredRecords = 2_000_000
/** Most audit entries of a restored backup. */
export const maxRestoredEntries = 10_000_000

export interface RestoreDependencies {
  readonly store: Pick<Store, 'restore' | 'pin' | 'durable'>
  readonly identity: IdentityWatch
  readonly keyring: Keyring
  /** Unix milliseconds. */
  readonly now: () => number
}

/** Counts of a restore. */
export interface Restored {
  readonly storeId: string
  readonly records: number
  readonly entries: number
}

/** A line of a backup other than the first and the last. */
export interface RestoredLines {
  readonly records: readonly { readonly key: string; readonly version: number; readonly text: string }[]
  readonly entries: readonly StoredAuditEntry[]
}

const notEmpty = 'the store has clients or licenses: restore into a store that has none'
/** Kinds of records that work without an index. */
const keptKinds: readonly string[] = ['client', 'license', 'token']
const isOver = 'this restore is over, or another one was started'

/**
 * Restores of a backup, all or nothing: start, add chunks, commit. They work even on a store that has lost its
 * identity. One restore is open at a time; any instance accepts its next step.
 */
export class Restores {
  readonly #dependencies: RestoreDependencies

  constructor(dependencies: RestoreDependencies) {
    this.#dependencies = dependencies
  }

  /**
   * @returns the restore's id
   * @throws RegistryError BAD_REQUEST, CONFLICT: the store is not empty, or the backup was made under another master key
   */
  async start(header: BackupHeader): Promise<string> {
    const { restore, durable } = this.#dependencies.store
    this.#openIdentity(header)
    // Records without an index would stay, and be valid beside those of the backup.
    const { unlisted } = await durable.damage.find()
    const inForce = { unlisted: unlisted.filter(kind => keptKinds.includes(kind)), isAuditLogLost: false }
    if (inForce.unlisted.length > 0) {
      throw new RegistryError(
        'CONFLICT',
        `the store has lost ${lostParts(inForce).join(' and ')}: empty it, then restore`
      )
    }
    if (await restore.hasClientsOrLicenses()) throw new RegistryError('CONFLICT', notEmpty)
    const restoreId = createId('restore')
    await restore.begin(restoreId)
    return restoreId
  }

  /**
   * @param lines  at most {@link maxChunkLines}
   * @throws RegistryError CONFLICT: the restore is over, or exceeds the bounds of one step; BAD_REQUEST: a record of an
   *   unknown kind
   */
  async stage(restoreId: string, { records, entries }: RestoredLines): Promise<void> {
    const checked = records.map(record => ({ ...record, key: checkedKey(record.key) }))
    const staged = await this.#dependencies.store.restore.count()
    requireWithin('records', staged.records + records.length, maxRestoredRecords)
    requireWithin('audit entries', staged.entries + entries.length, maxRestoredEntries)
    if (!(await this.#dependencies.store.restore.stage(restoreId, checked, entries))) {
      throw new RegistryError('CONFLICT', isOver)
    }
  }

  /**
   * Replaces the whole contents of the store by the backup.
   * @throws RegistryError CONFLICT: nothing was changed
   */
  async commit(restoreId: string, header: BackupHeader, trailer: BackupTrailer, actor: string): Promise<Restored> {
    const { store, keyring, identity: watch } = this.#dependencies
    const restored = this.#openIdentity(header)
    await this.#check(header, trailer)
    const identity = await this.#successor(restored)
    const text = encodeIdentity(keyring, identity)
    const entry = await this.#lastEntry(identity, trailer, actor)
    if (!(await store.restore.commit(restoreId, { identity: text, entry }))) {
      throw new RegistryError('CONFLICT', `${notEmpty}; or ${isOver}`)
    }
    watch.accept({ identity, text })
    return { storeId: identity.id, records: trailer.records, entries: trailer.entries }
  }

  /** Drops the staged lines of this restore. */
  abort(restoreId: string): Promise<void> {
    return this.#dependencies.store.restore.abort(restoreId)
  }

  /** @throws RegistryError */
  #openIdentity({ countersignBackup, identity: text }: BackupHeader): StoreIdentity {
    if (countersignBackup !== backupFormat) {
      const formats = `format ${countersignBackup}; this version reads ${backupFormat}`
      throw new RegistryError('BAD_REQUEST', `the backup has ${formats}`)
    }
    try {
      return decodeIdentity(this.#dependencies.keyring, text)
    } catch (error) {
      if (error instanceof UnusableStore) throw new RegistryError('CONFLICT', error.message)
      if (!(error instanceof CannotUnseal)) throw error
      throw new RegistryError(
        'CONFLICT',
        'none of the master keys opens this backup: configure the one that it was made under, also behind the present one'
      )
    }
  }

  /** Checks that the staged lines are the whole backup, and that a gateway wrote it. @throws RegistryError */
  async #check({ identity: text }: BackupHeader, { signature, ...unsigned }: BackupTrailer): Promise<void> {
    const { store, keyring } = this.#dependencies
    if (!keyring.hasSignedBackup(signedTextOf(text, unsigned), signature)) {
      throw new RegistryError('CONFLICT', 'the backup was changed after it was made')
    }
    const { records, entries } = await store.restore.count()
    if (records !== unsigned.records || entries !== unsigned.entries) {
      throw new RegistryError(
        'CONFLICT',
        `${records} records and ${entries} audit entries arrived, of ${unsigned.records} and ${unsigned.entries}`
      )
    }
    if ((await store.restore.get(pepperKey)) === undefined) {
      throw new RegistryError('CONFLICT', 'the backup holds no pepper')
    }
  }

  /**
   * Instances that have used the replaced store accept the restored one: those of this instance's store, and those of
   * the store's current contents.
   */
  async #successor(restored: StoreIdentity): Promise<StoreIdentity> {
    const { store, identity } = this.#dependencies
    const used = [identity.identity.id, ...this.#idOf(await store.pin.read())]
    return { ...restored, replaces: [...new Set(used)].filter(id => id !== restored.id) }
  }

  /** The id of an identity that a gateway sealed: anyone who can write to the store could name another one. */
  #idOf(text: string | undefined): string[] {
    if (text === undefined) return []
    try {
      return [decodeIdentity(this.#dependencies.keyring, text).id]
    } catch (error) {
      if (error instanceof UnusableStore || error instanceof CannotUnseal) return []
      throw error
    }
  }

  async #lastEntry(identity: StoreIdentity, { records }: BackupTrailer, actor: string) {
    const { store, now } = this.#dependencies
    const last = await store.restore.lastEntry()
    const previous = last === undefined ? { seq: 0, hash: '' } : { seq: last.seq, hash: hashOf(last) }
    const entryOf = createEntryMaker(new Pepper(identity.pepper), now)
    const entry = entryOf(actor, 'store.restore', 'store', { records })(previous)
    return { seq: previous.seq + 1, ...entry }
  }
}

function hashOf({ text }: StoredAuditEntry): string {
  const { hash }: { hash?: unknown } = JSON.parse(text)
  if (typeof hash !== 'string') throw new StoreUnavailable(new Error('a staged audit entry has no hash'), 'unsent')
  return hash
}

/** @throws RegistryError CONFLICT */
function requireWithin(what: string, count: number, limit: number): void {
  if (count > limit) throw new RegistryError('CONFLICT', `the backup has more than ${limit} ${what}`)
}

const keyPattern = /^(client|license|token|import|staged|meta):[^\p{Cc}]+$/u

function checkedKey(key: string): RecordKey {
  if (!keyPattern.test(key))
    throw new RegistryError('BAD_REQUEST', `the backup holds a record of an unknown kind: ${key}`)
  return key as StoredRecord['key']
}
