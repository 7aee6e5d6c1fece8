import { type Damage, lostParts } from './durable.js'
import { StoreUnavailable } from './errors.js'

/**
 * The record that names the store. A store that was emptied, or another one at the same address, has none or another
 * one. What it means is decided in `registry/identity.ts`.
 */
export const identityKey = 'meta:identity'

/** The store is not the one that this instance has used. Nothing was changed. */
export class StoreReplaced extends StoreUnavailable {
  constructor(reason: string) {
    super(new Error(reason), 'unsent')
  }
}

/** The store has lost more than a record: what is left of it cannot be listed completely. */
export class StoreDamaged extends StoreUnavailable {
  constructor(damage: Damage) {
    super(new Error(`the store has lost ${lostParts(damage).join(' and ')}: empty it, and restore a backup`), 'unsent')
  }
}

/** A record is listed but is not there: the store has lost it, by an eviction for example. */
export class RecordLost extends StoreUnavailable {
  constructor(key: string) {
    super(new Error(`the store has lost the record ${key}: restore a backup`), 'unsent')
  }
}

/**
 * Ties every call to one store. Calls that read or write records compare the identity in the same atomic step. Others
 * compare it before they report that something does not exist.
 */
export interface StorePin {
  /** The text of the identity record, whatever store this is; undefined if it has none. @throws StoreUnavailable */
  read(): Promise<string | undefined>
  /** From now on a call needs a store whose identity begins with `start`. Until the first call any store will do. */
  require(start: string): void
  /** From now on every call fails with {@link StoreReplaced}, until the next {@link require}. */
  refuse(reason: string): void
  /**
   * Sets what decides about an identity that is not the required one. It must call {@link require} or {@link refuse}.
   * It is also called when a connection was opened again.
   */
  onMismatch(decide: () => Promise<void>): void
}
