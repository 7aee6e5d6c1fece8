import { randomBytes } from 'node:crypto'
import type { RecordKey, RecordStore } from '../store/store.js'
import { type Audit, createAudit } from './audit.js'
import { readRecord } from './changes.js'
import { type Clients, createClients } from './clients.js'
import { CannotUnseal, createHasher, createKeyring, type Keyring } from './keyring.js'
import { createLicenses, type Licenses } from './licenses.js'

/** What lasts: clients and their keys, licenses, the audit log, behind the key ring. */
export interface Registry {
  readonly clients: Clients
  readonly licenses: Licenses
  readonly audit: Audit
}

/** None of the master keys opens this store. */
export class WrongMasterKey extends Error {
  override readonly name = 'WrongMasterKey'
}

const pepperKey: RecordKey = 'meta:pepper'

/**
 * The pepper under which everything is hashed that is only compared. Made once per store, kept sealed, so that the
 * master key can change while hashes stay what they are.
 */
async function openPepper(records: RecordStore, keyring: Keyring, now: () => number): Promise<Uint8Array> {
  for (;;) {
    const stored = await records.get(pepperKey)
    if (stored !== undefined) {
      try {
        return Buffer.from(keyring.unseal(readRecord<{ sealed: string }>(stored).sealed, pepperKey), 'base64')
      } catch (error) {
        if (error instanceof CannotUnseal) {
          throw new WrongMasterKey('none of the master keys opens this store: set the one that it was made with')
        }
        throw error
      }
    }
    const pepper = randomBytes(32)
    const audit = createAudit(records, createHasher(pepper, 'audit'), now)
    const sealed = keyring.seal(pepper.toString('base64'), pepperKey)
    // Where another instance was first, its pepper counts: read again.
    const write = { key: pepperKey, expect: 0, text: JSON.stringify({ sealed }) }
    await records.commit({ writes: [write], audit: audit.entry('system', 'store.create', 'store') })
  }
}

/**
 * Opens the registry over a store.
 * @param masterKeys  32 bytes each; the first encrypts, all decrypt
 * @throws WrongMasterKey, StoreUnavailable
 */
export async function openRegistry(
  records: RecordStore,
  masterKeys: readonly Uint8Array[],
  now: () => number
): Promise<Registry> {
  const keyring = createKeyring(masterKeys)
  const pepper = await openPepper(records, keyring, now)
  const audit = createAudit(records, createHasher(pepper, 'audit'), now)
  return {
    audit,
    clients: createClients(records, keyring, audit, now),
    licenses: createLicenses(records, createHasher(pepper, 'license'), audit, now)
  }
}
