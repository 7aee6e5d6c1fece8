import { recordKinds } from '../store/restore.js'
import { identityKey, type StoredRecord } from '../store/store.js'
import { CannotUnseal } from './aead.js'
import type { AuditLog } from './audit.js'
import type { KeySealer, SealedKey } from './client-keys.js'
import type { ClientRecord } from './clients.js'
import { pepperKey } from './pepper.js'
import { type RecordAccess, RegistryError, UnreadableRecord } from './records.js'
import { rewriteRecords } from './rewrite.js'
import type { Tickets } from './tickets.js'

/** Completes a change of the master key: reseals texts of older keys and of earlier versions. */

export interface ReencryptedPage {
  /** Records and tickets sealed again. */
  readonly resealed: number
  /** Records, keys and tickets that none of the master keys opens. They stay unchanged. Absent: none. */
  readonly unreadable?: number
  /** The `after` of the next page. Absent on the last one. */
  readonly next?: string
}

export interface ReencryptDependencies {
  readonly records: RecordAccess
  readonly keys: KeySealer
  readonly tickets: Tickets
  readonly audit: AuditLog
  /** @returns the number of resealed records of the store itself, which have their own form */
  readonly reencryptMeta: (actor: string) => Promise<number>
}

const ticketSection = 'ticket'
/** Sections, in order of the pages. The first page also covers the records of the store itself (`meta`). */
const sections = [...recordKinds.filter(kind => kind !== 'meta'), ticketSection] as const
type Section = (typeof sections)[number]
/** The store itself has three: its identity, the pepper, and the name of the most recent import. */
const maxMetaRecords = 10

/** @param after  '' or `<section>:<id>` @throws RegistryError BAD_REQUEST */
function parseCursor(after: string): { readonly first: number; readonly id: string } {
  if (after === '') return { first: 0, id: '' }
  const end = after.indexOf(':')
  const first = (sections as readonly string[]).indexOf(after.slice(0, end))
  if (first < 0) throw new RegistryError('BAD_REQUEST', `after: ${after} is not the \`next\` of a previous page`)
  return { first, id: after.slice(end + 1) }
}

/** Seals one page. */
class Page {
  readonly #dependencies: ReencryptDependencies
  readonly #actor: string
  readonly #unreadable = new Set<string>()
  #unreadableTickets = 0
  #resealed = 0

  constructor(dependencies: ReencryptDependencies, actor: string) {
    this.#dependencies = dependencies
    this.#actor = actor
  }

  /**
   * Seals records after the id `after`, at most `limit`. @returns the number of records read, and the next page's
   * `after`
   */
  async section(section: Section, after: string, limit: number): Promise<{ listed: number; next: string | undefined }> {
    if (section === ticketSection) {
      const { resealed, unreadable, listed, next } = await this.#dependencies.tickets.reencrypt(after, limit)
      this.#resealed += resealed
      this.#unreadableTickets += unreadable
      return { listed, next }
    }
    return this.#records(section, after, limit)
  }

  /** Seals the identity, the pepper and other records outside of sections. */
  async meta(): Promise<void> {
    this.#resealed += await this.#dependencies.reencryptMeta(this.#actor)
    await this.#records('meta', '', maxMetaRecords)
  }

  async #records(kind: string, after: string, limit: number): Promise<{ listed: number; next: string | undefined }> {
    const { records, audit } = this.#dependencies
    const { durable } = records
    const page = await durable.list(kind, after, limit)
    const textOf = (stored: StoredRecord) => this.#textOf(kind, stored)
    const entry = (count: number) => audit.entry(this.#actor, 'store.reencrypt', 'store', { kind, records: count })
    this.#resealed += await rewriteRecords({ durable, textOf, entry }, page)
    const next = page.length < limit ? undefined : page.at(-1)?.key.slice(kind.length + 1)
    return { listed: page.length, next }
  }

  result(next: string | undefined): ReencryptedPage {
    const unreadable = this.#unreadable.size + this.#unreadableTickets
    return {
      resealed: this.#resealed,
      ...(unreadable > 0 ? { unreadable } : {}),
      ...(next === undefined ? {} : { next })
    }
  }

  #textOf(kind: string, stored: StoredRecord): string | undefined {
    const { sealer } = this.#dependencies.records
    const { key } = stored
    const isStale = sealer.isStale(stored)
    if (key === pepperKey || key === identityKey || (!isStale && kind !== 'client')) return undefined
    try {
      const value = sealer.open<unknown>(stored)
      if (kind !== 'client') return sealer.seal(key, value)
      const client = value as ClientRecord
      const keys = client.keys.map(each => this.#resealKey(client.clientId, each))
      const hasStaleKeys = keys.some((each, i) => each !== client.keys[i])
      return isStale || hasStaleKeys ? sealer.seal(key, { ...client, keys }) : undefined
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error
      this.#unreadable.add(key)
      return undefined
    }
  }

  #resealKey(clientId: string, key: SealedKey): SealedKey {
    const { keys } = this.#dependencies
    if (!keys.isStale(key)) return key
    try {
      return keys.reseal(clientId, key)
    } catch (error) {
      if (!(error instanceof CannotUnseal)) throw error
      this.#unreadable.add(`${clientId} ${key.keyId}`)
      return key
    }
  }
}

/**
 * Reseals one page of records and tickets where needed; the first page includes the pepper.
 * @param after  '' or the `next` of the previous page
 * @param limit  records and tickets that are read
 * @throws RegistryError BAD_REQUEST: `after` is not a cursor; WrongMasterKey, StoreUnavailable
 */
export async function reencryptPage(
  dependencies: ReencryptDependencies,
  after: string,
  limit: number,
  actor: string
): Promise<ReencryptedPage> {
  const { first, id } = parseCursor(after)
  const page = new Page(dependencies, actor)
  if (after === '') await page.meta()
  let from = id
  let left = limit
  for (const section of sections.slice(first)) {
    if (left <= 0) return page.result(`${section}:`)
    const { listed, next } = await page.section(section, from, left)
    if (next !== undefined) return page.result(`${section}:${next}`)
    left -= listed
    from = ''
  }
  return page.result(undefined)
}
