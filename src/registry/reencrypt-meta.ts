import { type DurableStore, identityKey } from '../store/store.js'
import type { AuditLog } from './audit.js'
import { encodeIdentity, isStaleIdentity } from './identity.js'
import type { IdentityWatch } from './identity-watch.js'
import type { Keyring } from './keyring.js'
import { createPepperSealer, type PepperRecord, pepperId, pepperKey } from './pepper.js'
import { RecordTable } from './records.js'
import { type SchemaInUse, writesPlain } from './schema-in-use.js'

export interface MetaDependencies {
  readonly durable: DurableStore
  readonly keyring: Keyring
  readonly watch: IdentityWatch
  readonly audit: AuditLog
  readonly schema: SchemaInUse
}

/**
 * Seals the identity and the pepper under the current master key if another one sealed them.
 * @returns the number of records sealed again
 * @throws WrongMasterKey, StoreUnavailable
 */
export async function reencryptMeta(dependencies: MetaDependencies, actor: string): Promise<number> {
  const resealed = [await reencryptIdentity(dependencies, actor), await reencryptPepper(dependencies, actor)]
  return resealed.filter(each => each).length
}

async function reencryptIdentity(
  { durable, keyring, watch, audit }: MetaDependencies,
  actor: string
): Promise<boolean> {
  const stored = await durable.get(identityKey)
  if (stored === undefined || !isStaleIdentity(keyring, stored.text)) return false
  const { identity } = watch
  const text = encodeIdentity(keyring, identity)
  const write = { key: identityKey, expect: stored.version, text } as const
  const entry = audit.entry(actor, 'store.reencrypt', 'store')
  // A conflict: another instance has done it.
  if ((await durable.commit({ writes: [write], audit: entry })) === 'conflict') return false
  watch.accept({ identity, text })
  return true
}

async function reencryptPepper({ durable, keyring, audit, schema }: MetaDependencies, actor: string): Promise<boolean> {
  const record = await durable.get(pepperKey)
  // An earlier version reads it only in its own form.
  if (record === undefined || writesPlain(schema) || !keyring.isStale(record.text)) return false
  const table = new RecordTable<PepperRecord>({ durable, sealer: createPepperSealer(keyring) }, 'meta')
  return table.change<boolean>(pepperId, stored =>
    stored === undefined
      ? { result: false }
      : { write: stored, audit: audit.entry(actor, 'store.reencrypt', 'store'), result: true }
  )
}
