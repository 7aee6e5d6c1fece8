import type { ChangeEvent, SequencedChange } from './change-event.js'

/** `kind:id`. The kind is one of a few fixed names; the id has no control characters. */
export type RecordKey = `${string}:${string}`

export interface StoredRecord {
  readonly key: RecordKey
  /** The number of the audit entry that wrote it. It rises with each change, and no two states of a record share one. */
  readonly version: number
  /** The record's JSON text. */
  readonly text: string
  /** Whether the store has lost it: it is listed, but is not there. Then `text` is empty. Absent: it is there. */
  readonly isLost?: true
}

/** One record's part in a change. */
export interface RecordWrite {
  readonly key: RecordKey
  /** The version that was read; 0 if the record must not exist. */
  readonly expect: number
  /** The new text; undefined removes the record. */
  readonly text?: string
}

/**
 * Change events that are kept, the newest. Instances read them every second. The sessions of one that falls this far
 * behind have timed out.
 */
export const maxChangeEvents = 100_000

/** Audit entries that one change may remove, so that no transaction takes long: some 800 KB. */
export const maxCutEntries = 2000

/** The newest entry of the audit log. */
export interface AuditHead {
  /** 0 while the log is empty. */
  readonly seq: number
  /** '' while the log is empty. */
  readonly hash: string
}

/** A change that is committed completely or not at all. */
export interface Change {
  readonly writes: readonly RecordWrite[]
  /**
   * Makes the audit entry that is written in the same transaction. It may be called more than once, each time with the
   * log's head at that moment.
   */
  readonly audit: (head: AuditHead) => { readonly hash: string; readonly text: string }
  /** Announced to every instance after the change. */
  readonly event?: ChangeEvent
  /** Audit entries up to this number are removed in the same transaction. At most {@link maxCutEntries} are. */
  readonly cutAuditThrough?: number
  /**
   * The change revokes, suspends or removes something, or only records that everything was read. A store that refuses
   * everything else for lack of memory or disk commits it from its reserve. Default false.
   */
  readonly isProtective?: boolean
}

/** What a store has lost besides single records. */
export interface Damage {
  /** Kinds with records that their index does not list. */
  readonly unlisted: readonly string[]
  readonly isAuditLogLost: boolean
}

/** @returns what is lost, one part each, e.g. `the index of its client records`; empty: nothing */
export function lostParts({ unlisted, isAuditLogLost }: Damage): readonly string[] {
  return [...unlisted.map(kind => `the index of its ${kind} records`), ...(isAuditLogLost ? ['its audit log'] : [])]
}

/** Finds what a store has lost besides single records. */
export interface DamageCheck {
  /** Whether {@link find} may find something new. Cheap; the first call asks about stores that lack what most have. */
  isSuspect(): Promise<boolean>
  /**
   * Examines every key, whatever store this is. From then on a list of records that are not all listed is rejected with
   * StoreDamaged.
   * @throws StoreUnavailable
   */
  find(): Promise<Damage>
}

/** Clients, licenses and the audit log: what outlives a restart. */
export interface DurableStore {
  /** The record; undefined if it does not exist. @throws RecordLost, StoreReplaced, StoreUnavailable */
  get(key: RecordKey): Promise<StoredRecord | undefined>
  /**
   * Records of one kind in the order of their ids, lost ones included.
   * @param after  an id; the list begins after it
   * @param limit  most records
   * @throws StoreDamaged, StoreReplaced, StoreUnavailable
   */
  list(kind: string, after: string, limit: number): Promise<readonly StoredRecord[]>
  /**
   * Commits a change if every write finds the version that it expects. Resolves when the change would survive a crash.
   * @returns the audit entry's number; `conflict` if a record has another version and nothing was changed
   * @throws StoreUnavailable
   */
  commit(change: Change): Promise<number | 'conflict'>
  /** Audit entries after number `after`, oldest first, at most `limit`. Those that were cut are left out. */
  auditAfter(after: number, limit: number): Promise<readonly { readonly seq: number; readonly text: string }[]>
  auditHead(): Promise<AuditHead>
  /**
   * Events after audit number `after`, oldest first, at most `limit`. Of equal events only the newest is kept. A
   * listener whose notification was lost finds the event here.
   */
  changesAfter(after: number, limit: number): Promise<readonly SequencedChange[]>
  /** The audit number of the newest change with this event; undefined if there is none among those that are kept. */
  lastChange(event: ChangeEvent): Promise<number | undefined>
  /** Calls `listener` soon after a change with an event, by any instance. Calls may be lost. @returns stops listening */
  onChange(listener: () => void): () => void
  readonly damage: DamageCheck
}
