import { StoreUnavailable } from '../errors.js'
import type { ChannelTable } from './channel-table.js'
import { consumeCleanMark, setCleanMark } from './clean-mark.js'
import { prepareDatabaseFiles } from './database-files.js'
import type { ClientResults, OwnedResult } from './idempotency-results.js'
import { describe } from './lmdb-commit.js'
import { RestartDatabase, type ResultRow, type TicketRow } from './restart-database.js'
import { type ChannelWrite, SavedChannels } from './saved-channels.js'

/** Pause before changed channels are written, in milliseconds. */
const saveEveryMs = 250
/** The same after a failure: each failed write makes LMDB write to stderr. */
const retryMs = 1000
/** Channels, and tickets, per transaction. */
const maxRows = 1000
/** Publications per transaction. One more channel's history may exceed it. */
const maxPublications = 1024

/** The tickets in memory. */
export interface SavedTickets {
  /** undefined: the ticket no longer exists. */
  rowOf(keyId: string): TicketRow | undefined
  restore(keyId: string, row: TicketRow): void
}

function ignore(): void {}

function openDatabase(path: string): RestartDatabase {
  try {
    return new RestartDatabase(path)
  } catch (error) {
    throw new StoreUnavailable(describe(error))
  }
}

function rowOf({ owner, digest, offset, epoch, endsAt }: OwnedResult): ResultRow {
  return [owner, digest, offset, epoch, endsAt]
}

function resultOf([owner, digest, offset, epoch, endsAt]: ResultRow): OwnedResult {
  return { owner, digest, offset, epoch, endsAt }
}

function extractFirst(names: Set<string>, most: number): string[] {
  const first: string[] = []
  for (const name of names) {
    if (first.length === most) break
    first.push(name)
    names.delete(name)
  }
  return first
}

/**
 * Writes channels and tickets with a delay, and restores them after a restart. A process that ends without
 * {@link close} has lost its latest changes: each channel then gets another epoch, so that earlier positions are
 * invalid.
 */
export class RestartSaver {
  readonly #path: string
  readonly #database: RestartDatabase
  readonly #wasClosed: boolean
  readonly #onWrites: (failure: Error | undefined) => void
  readonly #changedChannels = new Set<string>()
  readonly #changedTickets = new Set<string>()
  #channels: SavedChannels | undefined
  #tickets: SavedTickets | undefined
  #results: ClientResults | undefined
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  /** The time of the last write. */
  #failure: Error | undefined
  #isClosed = false

  /**
   * @param path      the database file
   * @param onWrites  called when writes begin to fail, with the reason, and with undefined when they work again
   * @throws DataDirUnusable, StoreUnavailable
   */
  constructor(path: string, onWrites: (failure: Error | undefined) => void) {
    this.#path = path
    this.#onWrites = onWrites
    prepareDatabaseFiles(path)
    this.#wasClosed = consumeCleanMark(path)
    this.#database = openDatabase(path)
  }

  /** Fills the memory, before its first use. */
  restore(table: ChannelTable, results: ClientResults, tickets: SavedTickets): void {
    this.#tickets = tickets
    this.#results = results
    if (this.#wasClosed) {
      for (const { value } of this.#database.tables.results.getRange()) results.restore(value[0], resultOf(value[1]))
    }
    for (const { key, value } of this.#database.tables.tickets.getRange()) {
      tickets.restore(key, value)
      if (tickets.rowOf(key) === undefined) this.#changedTickets.add(key)
    }
    this.#channels = new SavedChannels(table)
    this.#channels.restore(this.#database.tables, this.#wasClosed)
    if (!this.#wasClosed) for (const name of this.#channels.names) this.#changedChannels.add(name)
    this.#schedule(saveEveryMs)
  }

  readonly onChannelChange = (name: string): void => {
    this.#changedChannels.add(name)
    this.#schedule(saveEveryMs)
  }

  /** A ticket has ended. */
  readonly onTicketEnd = (keyId: string): void => {
    this.#changedTickets.add(keyId)
    this.#schedule(saveEveryMs)
  }

  /** Resolves when a changed ticket is on disk. @throws WriteFailure; it is retried later */
  readonly saveTicket = async (keyId: string): Promise<void> => {
    this.#changedTickets.add(keyId)
    if (this.#failure !== undefined) throw this.#failure
    // A running write may have begun before the change.
    await this.#running?.catch(ignore)
    do await this.#write()
    while (this.#changedTickets.has(keyId))
  }

  #schedule(ms: number): void {
    if (this.#isClosed || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#write().catch(ignore)
    }, ms)
    this.#timer.unref()
  }

  get #hasChanges(): boolean {
    return this.#changedChannels.size + this.#changedTickets.size > 0
  }

  /** Writes part of the changes, one transaction at a time. */
  #write(): Promise<void> {
    this.#running ??= this.#writeBatch().finally(() => {
      this.#running = undefined
      if (this.#hasChanges) this.#schedule(this.#failure === undefined ? saveEveryMs : retryMs)
    })
    return this.#running
  }

  async #writeBatch(): Promise<void> {
    const keyIds = extractFirst(this.#changedTickets, maxRows)
    const rows = keyIds.map(keyId => ({ keyId, row: this.#tickets?.rowOf(keyId) }))
    const { names, writes } = this.#nextChannels()
    try {
      await this.#database.write(tables => {
        for (const { keyId, row } of rows) {
          if (row === undefined) tables.tickets.removeSync(keyId)
          else tables.tickets.putSync(keyId, row)
        }
        for (const { apply } of writes) apply(tables)
      })
    } catch (error) {
      for (const keyId of keyIds) this.#changedTickets.add(keyId)
      for (const name of names) this.#changedChannels.add(name)
      const failure = error instanceof Error ? error : describe(error)
      if (this.#failure === undefined) this.#onWrites(failure)
      this.#failure = failure
      throw failure
    }
    for (const { onWritten } of writes) onWritten()
    if (this.#failure !== undefined) this.#onWrites(undefined)
    this.#failure = undefined
  }

  #nextChannels(): { readonly names: readonly string[]; readonly writes: readonly ChannelWrite[] } {
    const names: string[] = []
    const writes: ChannelWrite[] = []
    let publications = 0
    for (const name of this.#changedChannels) {
      const write = this.#channels?.writeOf(name)
      if (write === undefined || names.length === maxRows || publications >= maxPublications) break
      this.#changedChannels.delete(name)
      names.push(name)
      writes.push(write)
      publications += write.publications
    }
    return { names, writes }
  }

  /** The stored results are older. A killed process leaves none: they would be outdated. */
  async #writeResults(): Promise<void> {
    const rows = [...(this.#results?.entries() ?? [])].map(([key, result]) => [key, rowOf(result)] as const)
    await this.#database.write(({ results }) => results.clearSync())
    for (let i = 0; i < rows.length; i += maxRows) {
      await this.#database.write(({ results }) => {
        for (const [at, row] of rows.slice(i, i + maxRows).entries()) results.putSync(i + at, row)
      })
    }
  }

  /** Writes pending changes and marks the file as complete. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    // Includes the times of last use, and channels that were never published to.
    for (const name of this.#channels?.names ?? []) this.#changedChannels.add(name)
    let isComplete = true
    try {
      await this.#running?.catch(ignore)
      while (this.#hasChanges) await this.#write()
      await this.#writeResults()
    } catch {
      isComplete = false
    }
    await this.#database.close()
    if (isComplete) setCleanMark(this.#path)
  }
}
