import { type Damage, lostParts } from './durable.js'
import { StoreUnavailable } from './errors.js'

/**
 * The record that identifies the store. An emptied store, or another store at the same address, has none or another
 * one. `registry/identity.ts` interprets it.
 */
export const identityKey = 'meta:identity'

/** The store differs from the one that this instance has used. Nothing was changed. */
export class StoreReplaced extends StoreUnavailable {
  constructor(reason: string) {
    super(new Error(reason), 'unsent')
  }
}

/** The store has lost more than a record: the rest cannot be listed completely. */
export class StoreDamaged extends StoreUnavailable {
  constructor(damage: Damage) {
    super(new Error(`the store has lost ${lostParts(damage).join(' and ')}: empty it, and restore a backup`), 'unsent')
  }
}

/** A record is listed but missing: the store has lost it, for example by an eviction. */
export class RecordLost extends StoreUnavailable {
  constructor(key: string) {
    super(new Error(`the store has lost the record ${key}: restore a backup`), 'unsent')
  }
}

/**
 * Binds every call to one store. Calls that read or write records compare the identity in the same atomic step. Others
 * compare it before they report that something does not exist.
 */
export interface StorePin {
  /** The text of the identity record, regardless of the store; undefined if it has none. @throws StoreUnavailable */
  read(): Promise<string | undefined>
  /**
   * From now on calls require a store whose identity begins with `start`. Before the first call any store is accepted.
   */
  require(start: string): void
  /** From now on every call fails with {@link StoreReplaced}, until the next {@link require}. */
  refuse(reason: string): void
  /**
   * Sets the callback for an unexpected identity. It must call {@link require} or {@link refuse}. It is also called
   * when a connection was reopened.
   */
  onMismatch(decide: () => Promise<void>): void
}
