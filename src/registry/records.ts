import { RecordLost } from '../store/pin.js'
import { type Change, type DurableStore, type RecordKey, type StoredRecord, StoreUnavailable } from '../store/store.js'
import { CannotUnseal } from './aead.js'
import type { Keyring } from './keyring.js'
import { isPlainRecord } from './pepper.js'
import { currentForm, type SchemaInUse, writesPlain } from './schema-in-use.js'
import type { UnreadableReports } from './unreadable.js'

/** Attempts at one change. Each lost race means that another change of the record succeeded. */
export const maxAttempts = 64

/** The registry refuses a request: the record is missing, exists already, or must not be changed that way. */
export class RegistryError extends Error {
  override readonly name: string = 'RegistryError'
  readonly code: 'NOT_FOUND' | 'CONFLICT' | 'BAD_REQUEST'

  constructor(code: RegistryError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** A record cannot be opened. Reads for clients treat it as missing; operators get this error. */
export class UnreadableRecord extends RegistryError {
  constructor(key: RecordKey) {
    super(
      'CONFLICT',
      `the record ${key} does not open: it was changed in the store, or its master key was removed. ` +
        'Configure that key, or delete the record and create it again'
    )
  }
}

/** Seals whole records, each bound to its key: no member can be read, changed or moved to another record. */
export interface RecordSealer {
  seal(key: RecordKey, value: unknown): string
  /** The same in the current form, regardless of the schema in use. */
  sealLatest(key: RecordKey, value: unknown): string
  /** Its shape is not checked: only the gateway can seal a record. @throws UnreadableRecord */
  open<T>(stored: StoredRecord): T
  /** Whether it must be sealed again: see {@link Keyring.isStale}. */
  isStale(stored: StoredRecord): boolean
}

/**
 * @param reports  receives each record that cannot be opened
 * @param schema   the form in which records are written. Default: the current one
 */
export function createRecordSealer(
  keyring: Keyring,
  reports: UnreadableReports,
  schema: SchemaInUse = currentForm()
): RecordSealer {
  return {
    sealLatest: (key, value) => keyring.sealLatest('record', JSON.stringify(value), key),
    seal(key, value) {
      const text = JSON.stringify(value)
      return writesPlain(schema) ? text : keyring.seal('record', text, key)
    },
    open<T>(stored: StoredRecord): T {
      const { key, text } = stored
      if (schema.acceptsPlain && isPlainRecord(stored)) return JSON.parse(text) as T
      try {
        return JSON.parse(keyring.unseal('record', text, key)) as T
      } catch (error) {
        if (!(error instanceof CannotUnseal)) throw error
        reports.report({ record: key })
        throw new UnreadableRecord(key)
      }
    },
    isStale: stored => !(writesPlain(schema) && isPlainRecord(stored)) && keyring.isStale(stored.text)
  }
}

/** @returns undefined if the record cannot be opened */
export function openIfReadable<T>(sealer: RecordSealer, stored: StoredRecord): T | undefined {
  try {
    return sealer.open<T>(stored)
  } catch (error) {
    if (error instanceof UnreadableRecord) return undefined
    throw error
  }
}

/** The location of records, and their sealer. */
export interface RecordAccess {
  readonly durable: DurableStore
  readonly sealer: RecordSealer
}

/** The new state of a record with its audit entry, or only a result when nothing changes. */
export type Decision<T, R> =
  | (Pick<Change, 'audit' | 'event' | 'isProtective'> & { readonly write: T | 'remove'; readonly result: R })
  | { readonly result: R }

/** A page of records. */
export interface RecordPage<T> {
  readonly items: readonly T[]
  /** Ids of the records among them that cannot be opened. They count toward the limit. */
  readonly unreadable: readonly string[]
  /** The `after` of the next page. Absent on the last one. */
  readonly next?: string
}

/** Records of one kind. Each is stored sealed under `kind:id`. */
export class RecordTable<T> {
  readonly #durable: DurableStore
  readonly #sealer: RecordSealer
  readonly #kind: string

  /** @param kind  a fixed word without a colon, e.g. `client` */
  constructor({ durable, sealer }: RecordAccess, kind: string) {
    this.#durable = durable
    this.#sealer = sealer
    this.#kind = kind
  }

  key(id: string): RecordKey {
    return `${this.#kind}:${id}`
  }

  /** @throws UnreadableRecord, StoreUnavailable */
  async get(id: string): Promise<T | undefined> {
    const stored = await this.#durable.get(this.key(id))
    return stored === undefined ? undefined : this.#sealer.open<T>(stored)
  }

  /**
   * Records in order of their ids.
   * @param after    '' or the `next` of the previous page
   * @param limit    most records of the page, at least 1
   * @param isShown  whether a record belongs on the page; if it throws UnreadableRecord, the record counts as
   *   unreadable
   */
  async list(
    after: string,
    limit: number,
    isShown: (record: T) => Promise<boolean> = async () => true
  ): Promise<RecordPage<T>> {
    const items: T[] = []
    const unreadable: string[] = []
    for (let last = after; ; ) {
      const page = await this.#durable.list(this.#kind, last, limit)
      for (const stored of page) {
        last = stored.key.slice(this.#kind.length + 1)
        const record = await this.#shownOf(stored, isShown)
        if (record === 'unreadable') unreadable.push(last)
        else items.push(...record)
        if (items.length + unreadable.length === limit) return { items, unreadable, next: last }
      }
      if (page.length < limit) return { items, unreadable }
    }
  }

  /** The record, if it belongs on the page. */
  async #shownOf(stored: StoredRecord, isShown: (record: T) => Promise<boolean>): Promise<readonly T[] | 'unreadable'> {
    try {
      const record = this.#sealer.open<T>(stored)
      return (await isShown(record)) ? [record] : []
    } catch (error) {
      if (error instanceof UnreadableRecord) return 'unreadable'
      throw error
    }
  }

  /**
   * Changes one record by optimistic concurrency: reads it, calls `decide`, and commits. Starts over if another change
   * came first, so `decide` may run more than once.
   * @param decide  receives the current record or undefined; if it throws, nothing is written and the error is passed
   *   on
   * @throws UnreadableRecord, StoreUnavailable
   */
  async change<R>(
    id: string,
    decide: (current: T | undefined) => Decision<T, R> | Promise<Decision<T, R>>
  ): Promise<R> {
    const key = this.key(id)
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const stored = await this.#durable.get(key)
      const decision = await decide(stored === undefined ? undefined : this.#sealer.open<T>(stored))
      if (!('write' in decision)) return decision.result
      const { write, result, ...change } = decision
      const expect = stored?.version ?? 0
      const record = write === 'remove' ? { key, expect } : { key, expect, text: this.#sealer.seal(key, write) }
      if ((await this.#durable.commit({ writes: [record], ...change })) !== 'conflict') return result
    }
    throw lostRaces(key)
  }

  /**
   * Removes a record, even one that cannot be opened or is lost, so that an operator can delete it.
   * @param remove     removes a readable record
   * @param unreadable the change that removes an unreadable one
   * @throws the errors of `remove`; StoreUnavailable
   */
  async removeEvenUnreadable(
    id: string,
    remove: () => Promise<void>,
    unreadable: Pick<Change, 'audit' | 'event'>
  ): Promise<void> {
    try {
      await remove()
    } catch (error) {
      if (!(error instanceof UnreadableRecord || error instanceof RecordLost)) throw error
      const key = this.key(id)
      for (let attempt = 0; attempt < maxAttempts; attempt++) {
        const expect = await this.#versionOf(key)
        if (expect === undefined) return
        if (
          (await this.#durable.commit({ writes: [{ key, expect }], ...unreadable, isProtective: true })) !== 'conflict'
        )
          return
      }
      throw lostRaces(key)
    }
  }

  /** 0 if the record is lost: its key is then absent. */
  async #versionOf(key: RecordKey): Promise<number | undefined> {
    try {
      return (await this.#durable.get(key))?.version
    } catch (error) {
      if (error instanceof RecordLost) return 0
      throw error
    }
  }
}

export function lostRaces(key: RecordKey): StoreUnavailable {
  return new StoreUnavailable(new Error(`${key}: lost ${maxAttempts} races against other changes`), 'unsent')
}
