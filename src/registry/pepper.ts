import { randomBytes } from 'node:crypto'
import type { DurableStore, StoredRecord } from '../store/store.js'
import { CannotUnseal } from './aead.js'
import { type AuditLog, createAuditLog } from './audit.js'
import type { Keyring } from './keyring.js'
import { type RecordSealer, RecordTable } from './records.js'

/**
 * The pepper: 32 random bytes that key every hash in the store. It is created once per store and kept sealed, so the
 * master key can change while the hashes stay the same. Its record also holds the format of the store: nobody without
 * the master key can turn a store with sealed records into one without.
 */

/** None of the configured master keys opens this store. */
export class WrongMasterKey extends Error {
  override readonly name = 'WrongMasterKey'
}

interface PepperRecord {
  /** Base64. */
  readonly pepper: string
  /** Whether every record is sealed. False only in stores of earlier versions, until they are migrated. */
  readonly sealsRecords: boolean
}

export interface OpenedPepper {
  readonly pepper: Uint8Array
  readonly sealsRecords: boolean
}

const pepperBytes = 32
const pepperId = 'pepper'
export const pepperKey = `meta:${pepperId}` as const

/** Whether a record has the form of earlier versions: JSON text, in which only secrets were sealed. */
export function isPlainRecord({ text }: Pick<StoredRecord, 'text'>): boolean {
  return text.startsWith('{')
}

function createPepperSealer(keyring: Keyring): RecordSealer {
  return {
    seal: (key, value) => keyring.seal('pepper', JSON.stringify(value), key),
    open<T>(stored: StoredRecord): T {
      try {
        return unsealPepper(keyring, stored) as T
      } catch (error) {
        if (!(error instanceof CannotUnseal || error instanceof SyntaxError)) throw error
        throw new WrongMasterKey('none of the master keys opens this store: configure the one it was created with')
      }
    },
    isStale: ({ text }) => keyring.isStale(text)
  }
}

function unsealPepper(keyring: Keyring, stored: StoredRecord): PepperRecord {
  const { key, text } = stored
  if (!isPlainRecord(stored)) return JSON.parse(keyring.unseal('pepper', text, key))
  const { sealed = '' }: { sealed?: string } = JSON.parse(text)
  return { pepper: keyring.unseal('pepper', sealed, key), sealsRecords: false }
}

function tableOf(durable: DurableStore, keyring: Keyring): RecordTable<PepperRecord> {
  return new RecordTable({ durable, sealer: createPepperSealer(keyring) }, 'meta')
}

/**
 * Reads the pepper, and creates it in a new store. Instances that start together agree on the one committed first.
 * @throws WrongMasterKey, StoreUnavailable
 */
export async function openPepper(durable: DurableStore, keyring: Keyring, now: () => number): Promise<OpenedPepper> {
  const record = await tableOf(durable, keyring).change<PepperRecord>(pepperId, stored => {
    if (stored !== undefined) return { result: stored }
    const pepper = randomBytes(pepperBytes)
    const created = { pepper: pepper.toString('base64'), sealsRecords: true }
    // The first entry of the log is hashed under the pepper that it announces.
    const audit = createAuditLog(durable, pepper, now)
    return { write: created, audit: audit.entry('system', 'store.create', 'store'), result: created }
  })
  return { pepper: Buffer.from(record.pepper, 'base64'), sealsRecords: record.sealsRecords }
}

/** Checks the master keys against a store and changes nothing. @throws WrongMasterKey, StoreUnavailable */
export async function checkPepper(durable: DurableStore, keyring: Keyring): Promise<void> {
  await tableOf(durable, keyring).get(pepperId)
}

/** Notes that every record is sealed: from now on no instance accepts a plain one. @throws StoreUnavailable */
export function markRecordsSealed(durable: DurableStore, keyring: Keyring, audit: AuditLog): Promise<void> {
  return tableOf(durable, keyring).change<void>(pepperId, stored => {
    if (stored === undefined || stored.sealsRecords) return { result: undefined }
    const write = { ...stored, sealsRecords: true }
    return { write, audit: audit.entry('system', 'store.seal', 'store'), result: undefined }
  })
}

/**
 * Seals the pepper under the current master key if another one sealed it.
 * @returns whether it was sealed again
 * @throws WrongMasterKey, StoreUnavailable
 */
export async function reencryptPepper(
  durable: DurableStore,
  keyring: Keyring,
  audit: AuditLog,
  actor: string
): Promise<boolean> {
  const record = await durable.get(pepperKey)
  if (record === undefined || !keyring.isStale(record.text)) return false
  return tableOf(durable, keyring).change<boolean>(pepperId, stored =>
    stored === undefined
      ? { result: false }
      : { write: stored, audit: audit.entry(actor, 'store.reencrypt', 'store'), result: true }
  )
}
