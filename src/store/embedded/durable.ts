import { type DurableStore, maxChangeEvents } from '../durable.js'
import { StoreUnavailable } from '../errors.js'
import type { RestoreStore } from '../restore.js'
import { prepareDatabaseFiles } from './database-files.js'
import { DiskReserve } from './disk-reserve.js'
import { describe } from './lmdb-commit.js'
import { RecordDatabase } from './record-database.js'
import { WriteGuard } from './write-guard.js'

export interface EmbeddedDurable extends DurableStore {
  readonly restore: RestoreStore
  /** @throws StoreUnavailable if writes fail */
  ping(): Promise<void>
  close(): Promise<void>
}

export interface EmbeddedDurableOptions {
  /** Most change events. Default: {@link maxChangeEvents}. */
  readonly maxEvents?: number
  /** Milliseconds of a clock that never jumps. Default: the process's. */
  readonly monotonicNow?: () => number
  /** Called when writes begin to fail, with the reason, and with undefined when they work again. */
  readonly onWrites?: (failure: Error | undefined) => void
}

/** LMDB writes when it opens new files, and may find the disk full. */
function openDatabase(path: string, maxEvents: number): RecordDatabase {
  prepareDatabaseFiles(path)
  try {
    return new RecordDatabase(path, maxEvents)
  } catch (error) {
    throw new StoreUnavailable(describe(error))
  }
}

function createEmbeddedRestore(database: RecordDatabase, guard: WriteGuard): RestoreStore {
  return {
    hasClientsOrLicenses: async () => database.staging.hasClientsOrLicenses(),
    begin: restoreId => guard.run(() => database.staging.clear(restoreId)),
    stage: (restoreId, records, entries) => guard.run(() => database.staging.stage(restoreId, records, entries)),
    get: async key => database.staging.get(key),
    lastEntry: async () => database.staging.lastEntry(),
    count: async () => database.staging.count(),
    commit: (restoreId, commit) => guard.run(() => database.staging.commit(restoreId, commit)),
    abort: restoreId => guard.run(() => database.staging.abort(restoreId))
  }
}

/**
 * Opens the durable state of a single process.
 * @param path  the database file; its folder must exist. The reserve is kept beside it, as `<path>.reserve`
 * @throws DataDirUnusable, StoreUnavailable
 */
export function openEmbeddedDurable(path: string, options: EmbeddedDurableOptions = {}): EmbeddedDurable {
  const { maxEvents = maxChangeEvents, monotonicNow = () => performance.now(), onWrites = () => {} } = options
  const database = openDatabase(path, maxEvents)
  const listeners = new Set<() => void>()
  const guard = new WriteGuard({ reserve: new DiskReserve(`${path}.reserve`), monotonicNow, onChange: onWrites })

  return {
    restore: createEmbeddedRestore(database, guard),
    get: async key => database.get(key),
    list: async (kind, after, limit) => database.list(kind, after, limit),
    async commit(change) {
      const result = await guard.run(() => database.commit(change), change.isProtective)
      if (result !== 'conflict' && change.event !== undefined) for (const listener of listeners) listener()
      return result
    },
    auditAfter: async (after, limit) => database.auditAfter(after, limit),
    auditHead: async () => database.auditHead(),
    changesAfter: async (after, limit) => database.changesAfter(after, limit),
    lastChange: async event => database.lastChange(event),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async ping() {
      if (guard.isFailing) await guard.run(() => database.probe())
    },
    // In order of the records themselves: there is no index to lose.
    damage: { isSuspect: async () => false, find: async () => ({ unlisted: [], isAuditLogLost: false }) },
    close: () => database.close()
  }
}
