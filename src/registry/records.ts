import { type Change, type DurableStore, type RecordKey, type StoredRecord, StoreUnavailable } from '../store/store.js'

/** Attempts at one change before it gives up. Every lost race means that another change of the record succeeded. */
const maxAttempts = 64

/** The registry refuses a request: the record is missing, exists already, or may not be changed that way. */
export class RegistryError extends Error {
  override readonly name: string = 'RegistryError'
  readonly code: 'NOT_FOUND' | 'CONFLICT' | 'BAD_REQUEST'

  constructor(code: RegistryError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** The new state of a record with its audit entry, or only a result when nothing changes. */
export type Decision<T, R> =
  | (Pick<Change, 'audit' | 'event' | 'isProtective'> & { readonly write: T | 'remove'; readonly result: R })
  | { readonly result: R }

/** Records of one kind. Each is stored as JSON text under `kind:id`. */
export class RecordTable<T> {
  readonly #durable: DurableStore
  readonly #kind: string

  /** @param kind  a fixed word without a colon, e.g. `client` */
  constructor(durable: DurableStore, kind: string) {
    this.#durable = durable
    this.#kind = kind
  }

  key(id: string): RecordKey {
    return `${this.#kind}:${id}`
  }

  async get(id: string): Promise<T | undefined> {
    const stored = await this.#durable.get(this.key(id))
    return stored === undefined ? undefined : readRecord<T>(stored)
  }

  /** Records in the order of their ids, after the id `after`, at most `limit`. */
  async list(after: string, limit: number): Promise<readonly T[]> {
    return (await this.#durable.list(this.#kind, after, limit)).map(readRecord<T>)
  }

  /**
   * Changes one record by optimistic concurrency: reads it, calls `decide`, and commits. Starts over when another
   * change got in between, so `decide` may run more than once.
   * @param decide  gets the current record or undefined; what it throws is passed on and nothing is written
   * @throws StoreUnavailable
   */
  async change<R>(
    id: string,
    decide: (current: T | undefined) => Decision<T, R> | Promise<Decision<T, R>>
  ): Promise<R> {
    const key = this.key(id)
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const stored = await this.#durable.get(key)
      const decision = await decide(stored === undefined ? undefined : readRecord<T>(stored))
      if (!('write' in decision)) return decision.result
      const { write, result, ...change } = decision
      const expect = stored?.version ?? 0
      const record = write === 'remove' ? { key, expect } : { key, expect, text: JSON.stringify(write) }
      if ((await this.#durable.commit({ writes: [record], ...change })) !== 'conflict') return result
    }
    throw new StoreUnavailable(new Error(`${key}: lost ${maxAttempts} races against other changes`), 'unsent')
  }
}

/** Parses a record without checks: only the gateway writes records, so its shape is the writer's. */
export function readRecord<T>(stored: StoredRecord): T {
  return JSON.parse(stored.text) as T
}
