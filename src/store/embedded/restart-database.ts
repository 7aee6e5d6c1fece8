import { type Database, open, type RootDatabase } from 'lmdb'
import type { StoredPublication } from '../channels.js'
import { runTransaction } from './lmdb-commit.js'

/** Epoch, offset, and in unix milliseconds: its last use, the end of its history. */
export type ChannelRow = readonly [epoch: string, offset: number, usedAt: number, historyEndsAt: number]
/** Publications that were written together, oldest first. */
export type ChunkRow = readonly StoredPublication[]
/** Number, text, end in unix milliseconds, owner. */
export type TicketRow = readonly [number: number, text: string, endsAt: number, owner: string]

/** Owner, digest, offset, epoch, end in unix milliseconds. */
export type ResultRow = readonly [owner: string, digest: string, offset: number, epoch: string, endsAt: number]

export interface RestartTables {
  readonly channels: Database<ChannelRow, string>
  /** By channel and the offset of the first publication. */
  readonly chunks: Database<ChunkRow, [string, number]>
  readonly tickets: Database<TicketRow, string>
  /** Results of idempotency keys, written only when a process ends. Numbered, since a key may exceed LMDB's limit. */
  readonly results: Database<readonly [key: string, row: ResultRow], number>
}

const above = Number.MAX_SAFE_INTEGER

/** The keys of a channel's chunks, oldest first. */
export function chunkKeys({ chunks }: RestartTables, name: string): readonly [string, number][] {
  return [...chunks.getKeys({ start: [name, 0], end: [name, above] })]
}

/**
 * The channels and tickets of the embedded store for a restart. They live in memory and are written here with a delay,
 * so a killed process leaves a slightly older state.
 */
export class RestartDatabase {
  readonly #env: RootDatabase
  readonly tables: RestartTables

  /** @param path  the database file, prepared by `prepareDatabaseFiles` */
  constructor(path: string) {
    this.#env = open({ path, maxDbs: 6, overlappingSync: false, noSubdir: true })
    try {
      this.tables = {
        channels: this.#env.openDB({ name: 'channels' }),
        chunks: this.#env.openDB({ name: 'chunks' }),
        tickets: this.#env.openDB({ name: 'tickets' }),
        results: this.#env.openDB({ name: 'results' })
      }
    } catch (error) {
      void this.#env.close()
      throw error
    }
  }

  /** Runs work in one transaction. Resolves when it is on disk. @throws WriteFailure */
  write(work: (tables: RestartTables) => void): Promise<void> {
    return runTransaction(this.#env, () => work(this.tables))
  }

  close(): Promise<void> {
    return this.#env.close()
  }
}
