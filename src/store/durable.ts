import type { ChangeEvent, SequencedChange } from './change-event.js'

/** `kind:id`. The kind is one of a few fixed names; the id has no control characters. */
export type RecordKey = `${string}:${string}`

export interface StoredRecord {
  readonly key: RecordKey
  /** Number of the audit entry written with it. It rises with each change, and no two states of a record share one. */
  readonly version: number
  /** The record's JSON text. */
  readonly text: string
  /** Whether the store has lost it: it is listed but missing. `text` is then empty. Absent: it exists. */
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
 * Change events that are kept, the newest. Instances read them every second. An instance this far behind has lost its
 * sessions to timeouts.
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
   * current head of the log.
   */
  readonly audit: (head: AuditHead) => { readonly hash: string; readonly text: string }
  /** Announced to every instance after the change. */
  readonly event?: ChangeEvent
  /** Removes audit entries up to this number in the same transaction, at most {@link maxCutEntries}. */
  readonly cutAuditThrough?: number
  /**
   * The change revokes, suspends or removes something, or only records a complete read. A store without memory or disk
   * space commits it from its reserve. Default false.
   */
  readonly isProtective?: boolean
}

/** Losses of a store other than single records. */
export interface Damage {
  /** Kinds with records that their index does not list. */
  readonly unlisted: readonly string[]
  readonly isAuditLogLost: boolean
}

/** @returns the lost parts, e.g. `the index of its client records`; empty: none */
export function lostParts({ unlisted, isAuditLogLost }: Damage): readonly string[] {
  return [...unlisted.map(kind => `the index of its ${kind} records`), ...(isAuditLogLost ? ['its audit log'] : [])]
}

/** Detects losses of a store other than single records. */
export interface DamageCheck {
  /** Whether {@link find} may find something new. Cheap; the first call is true for stores that lack usual parts. */
  isSuspect(): Promise<boolean>
  /**
   * Examines every key, regardless of the store's identity. From then on, lists of kinds with unlisted records are
   * rejected with StoreDamaged.
   * @throws StoreUnavailable
   */
  find(): Promise<Damage>
}

/** Clients, licenses and the audit log: data that outlives a restart. */
export interface DurableStore {
  /** The record; undefined if it does not exist. @throws RecordLost, StoreReplaced, StoreUnavailable */
  get(key: RecordKey): Promise<StoredRecord | undefined>
  /**
   * Records of one kind in order of their ids, including lost ones.
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
  /** Audit entries after number `after`, oldest first, at most `limit`. Removed entries are left out. */
  auditAfter(after: number, limit: number): Promise<readonly { readonly seq: number; readonly text: string }[]>
  auditHead(): Promise<AuditHead>
  /**
   * Events after audit number `after`, oldest first, at most `limit`. Of equal events only the newest is kept.
   * Listeners read events here whose notifications were lost.
   */
  changesAfter(after: number, limit: number): Promise<readonly SequencedChange[]>
  /** The audit number of the newest change with this event; undefined if none is kept. */
  lastChange(event: ChangeEvent): Promise<number | undefined>
  /**
   * Calls `listener` soon after a change with an event, by any instance. Calls may be lost. @returns a function that
   * stops listening
   */
  onChange(listener: () => void): () => void
  readonly damage: DamageCheck
}
