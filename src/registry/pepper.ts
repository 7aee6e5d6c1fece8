import { randomBytes } from 'node:crypto'
import type { DurableStore } from '../store/store.js'
import { type AuditLog, createAuditLog } from './audit.js'
import { CannotUnseal, createHasher, type Keyring } from './keyring.js'
import { RecordTable } from './records.js'

/**
 * The pepper: 32 random bytes that key every hash in the store. It is created once per store and kept sealed, so the
 * master key can change while the hashes stay the same.
 */

/** None of the configured master keys opens this store. */
export class WrongMasterKey extends Error {
  override readonly name = 'WrongMasterKey'
}

interface PepperRecord {
  readonly sealed: string
}

const pepperBytes = 32
const pepperId = 'pepper'
const pepperContext = 'meta:pepper'

function tableOf(durable: DurableStore): RecordTable<PepperRecord> {
  return new RecordTable(durable, 'meta')
}

function unsealPepper({ sealed }: PepperRecord, keyring: Keyring): Uint8Array {
  try {
    return Buffer.from(keyring.unseal(sealed, pepperContext), 'base64')
  } catch (error) {
    if (!(error instanceof CannotUnseal)) throw error
    throw new WrongMasterKey('none of the master keys opens this store: configure the one it was created with')
  }
}

/**
 * Reads the pepper, and creates it in a new store. Instances that start together agree on the one committed first.
 * @throws WrongMasterKey, StoreUnavailable
 */
export function openPepper(durable: DurableStore, keyring: Keyring, now: () => number): Promise<Uint8Array> {
  return tableOf(durable).change<Uint8Array>(pepperId, stored => {
    if (stored !== undefined) return { result: unsealPepper(stored, keyring) }
    const pepper = randomBytes(pepperBytes)
    // The first entry of the log is hashed under the pepper that it announces.
    const audit = createAuditLog(durable, createHasher(pepper, 'audit'), now)
    return {
      write: { sealed: keyring.seal(pepper.toString('base64'), pepperContext) },
      audit: audit.entry('system', 'store.create', 'store'),
      result: pepper
    }
  })
}

/**
 * Seals the pepper under the current master key if another one sealed it.
 * @returns whether it was sealed again
 * @throws StoreUnavailable
 */
export function reencryptPepper(
  durable: DurableStore,
  keyring: Keyring,
  audit: AuditLog,
  actor: string
): Promise<boolean> {
  return tableOf(durable).change<boolean>(pepperId, stored => {
    if (stored === undefined || !keyring.isStale(stored.sealed)) return { result: false }
    const write = { sealed: keyring.seal(keyring.unseal(stored.sealed, pepperContext), pepperContext) }
    return { write, audit: audit.entry(actor, 'store.reencrypt', 'store'), result: true }
  })
}
