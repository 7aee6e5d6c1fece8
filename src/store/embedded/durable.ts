import { type DurableStore, maxChangeEvents } from '../durable.js'
import { StoreUnavailable } from '../errors.js'
import { RecordDatabase } from './record-database.js'

export interface EmbeddedDurable extends DurableStore {
  /** @throws StoreUnavailable if writes fail */
  ping(): Promise<void>
  close(): Promise<void>
}

/**
 * Opens the durable state of a single process.
 * @param path       the database file; its folder must exist
 * @param maxEvents  change events that are kept
 */
export function openEmbeddedDurable(path: string, maxEvents: number = maxChangeEvents): EmbeddedDurable {
  const database = new RecordDatabase(path, maxEvents)
  const listeners = new Set<() => void>()
  let isFailing = false

  /** After a failure, such as a full disk, the store is not ready until a write succeeds. */
  async function write<T>(transaction: Promise<T>): Promise<T> {
    try {
      const result = await transaction
      isFailing = false
      return result
    } catch (error) {
      isFailing = true
      throw new StoreUnavailable(error)
    }
  }

  return {
    get: async key => database.get(key),
    list: async (kind, after, limit) => database.list(kind, after, limit),
    async commit(change) {
      const result = await write(database.commit(change))
      if (result !== 'conflict' && change.event !== undefined) for (const listener of listeners) listener()
      return result
    },
    auditAfter: async (after, limit) => database.auditAfter(after, limit),
    auditHead: async () => database.auditHead(),
    changesAfter: async (after, limit) => database.changesAfter(after, limit),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async ping() {
      if (isFailing) await write(database.probe())
    },
    close: () => database.close()
  }
}
