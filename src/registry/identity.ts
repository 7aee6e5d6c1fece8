import { randomBytes } from 'node:crypto'
import {
  type DurableStore,
  identityKey,
  type RecordKey,
  RecordLost,
  type RecordWrite,
  type StoredRecord
} from '../store/store.js'
import { CannotUnseal } from './aead.js'
import { createEntryMaker } from './audit.js'
import type { Keyring } from './keyring.js'
import { createPepperSealer, Pepper, type PepperRecord, pepperKey, WrongMasterKey } from './pepper.js'
import { lostRaces, maxAttempts } from './records.js'
import { currentSchema, plainSchema } from './schema-in-use.js'
import { createId } from './secrets.js'

/**
 * The identity of a store: its id, its schema version and its pepper, in one record. The text is
 * `<id>.<schema version>.<sealed>`: the readable part is compared with every call (`store/pin.ts`), the sealed part
 * proves that a gateway with the master key wrote it.
 */

export interface StoreIdentity {
  readonly id: string
  readonly schemaVersion: number
  readonly pepper: Uint8Array
  /** Ids of stores that this one replaced on purpose: instances that have used one of them accept this one. */
  readonly replaces: readonly string[]
}

/** The store cannot be used. The message states what to do. */
export class UnusableStore extends Error {
  override readonly name = 'UnusableStore'
}

interface SealedIdentity {
  readonly id: string
  readonly schemaVersion: number
  /** Base64. */
  readonly pepper: string
  readonly replaces: readonly string[]
}

/** The beginning of an identity's text. */
export function startOf({ id, schemaVersion }: Pick<StoreIdentity, 'id' | 'schemaVersion'>): string {
  return `${id}.${schemaVersion}.`
}

export function encodeIdentity(keyring: Keyring, identity: StoreIdentity): string {
  const { id, schemaVersion, pepper, replaces } = identity
  const content: SealedIdentity = { id, schemaVersion, pepper: Buffer.from(pepper).toString('base64'), replaces }
  return startOf(identity) + keyring.seal('identity', JSON.stringify(content), identityKey)
}

function splitIdentity(text: string): { readonly start: string; readonly schema: number; readonly sealed: string } {
  const [, start = '', schema = '', sealed = ''] = /^(\w+\.(\d+)\.)(.*)$/.exec(text) ?? []
  return { start, schema: Number(schema), sealed }
}

/** @throws UnusableStore for a newer schema, CannotUnseal */
export function decodeIdentity(keyring: Keyring, text: string): StoreIdentity {
  const { start, schema, sealed } = splitIdentity(text)
  if (schema > currentSchema) {
    throw new UnusableStore(
      `the store has schema version ${schema}, and this version of countersign knows ${currentSchema}: start a newer one`
    )
  }
  const content: SealedIdentity = JSON.parse(keyring.unseal('identity', sealed, identityKey))
  if (start !== startOf(content)) throw new CannotUnseal()
  return { ...content, pepper: Buffer.from(content.pepper, 'base64') }
}

/** Whether the sealed part was made under another master key than the current one. */
export function isStaleIdentity(keyring: Keyring, text: string): boolean {
  return keyring.isStale(splitIdentity(text).sealed)
}

/** @throws WrongMasterKey, UnusableStore */
function openIdentityText(keyring: Keyring, text: string): StoreIdentity {
  try {
    return decodeIdentity(keyring, text)
  } catch (error) {
    throw error instanceof CannotUnseal ? new WrongMasterKey() : error
  }
}

/** A record of the store itself; undefined also if the store has lost it. @throws StoreUnavailable */
async function find(durable: DurableStore, key: RecordKey): Promise<StoredRecord | undefined> {
  try {
    return await durable.get(key)
  } catch (error) {
    if (error instanceof RecordLost) return undefined
    throw error
  }
}

const pepperBytes = 32
const lasting = ['client', 'license', 'token'] as const

/**
 * Another instance may commit the identity between these reads: a store counts as damaged only if it still has none
 * after records were found.
 * @throws UnusableStore if the store has records but neither an identity nor a pepper
 */
async function requireEmpty(durable: DurableStore): Promise<void> {
  const lists = await Promise.all(lasting.map(kind => durable.list(kind, '', 1)))
  const { seq } = await durable.auditHead()
  if (seq === 0 && lists.every(list => list.length === 0)) return
  if ((await find(durable, identityKey)) !== undefined) return
  throw new UnusableStore(
    'the store holds records but no identity, so a part of it is lost: empty it, start a gateway on it, and run ' +
      '`countersign restore FILE` with a backup'
  )
}

/** The identity for a store without one: that of its pepper if it has one, otherwise a new one. */
async function identityFor(
  durable: DurableStore,
  keyring: Keyring
): Promise<{ readonly identity: StoreIdentity; readonly writes: RecordWrite[]; readonly action: string }> {
  const id = createId('store')
  const stored = await find(durable, pepperKey)
  if (stored !== undefined) {
    const { pepper, sealsRecords } = createPepperSealer(keyring).open<PepperRecord>(stored)
    const schemaVersion = sealsRecords ? currentSchema : plainSchema
    const identity = { id, schemaVersion, pepper: Buffer.from(pepper, 'base64'), replaces: [] }
    return { identity, writes: [], action: 'store.identify' }
  }
  await requireEmpty(durable)
  const identity = { id, schemaVersion: currentSchema, pepper: randomBytes(pepperBytes), replaces: [] }
  return { identity, writes: [pepperWrite(keyring, identity)], action: 'store.create' }
}

function pepperWrite(keyring: Keyring, { pepper, schemaVersion }: StoreIdentity): RecordWrite {
  const record: PepperRecord = {
    pepper: Buffer.from(pepper).toString('base64'),
    sealsRecords: schemaVersion >= currentSchema
  }
  return { key: pepperKey, expect: 0, text: createPepperSealer(keyring).seal(pepperKey, record) }
}

/** An identity with its text as stored. */
export interface StoredIdentity {
  readonly identity: StoreIdentity
  readonly text: string
}

/**
 * Reads the identity of a store. An empty store gets a new one, and a store of a version without identities gets one
 * that keeps its pepper. Instances that start together agree on the first one committed.
 * @throws WrongMasterKey, UnusableStore, StoreUnavailable
 */
export async function openIdentity(
  durable: DurableStore,
  keyring: Keyring,
  now: () => number
): Promise<StoredIdentity & { readonly isNew: boolean }> {
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const stored = await find(durable, identityKey)
    if (stored !== undefined) {
      const identity = openIdentityText(keyring, stored.text)
      await restorePepper(durable, keyring, identity, now)
      return { identity, text: stored.text, isNew: false }
    }
    const { identity, writes, action } = await identityFor(durable, keyring)
    const text = encodeIdentity(keyring, identity)
    // The first entry of the log is hashed under the pepper that it announces.
    const audit = createEntryMaker(new Pepper(identity.pepper), now)('system', action, 'store')
    const change = { writes: [...writes, { key: identityKey, expect: 0, text } as const], audit }
    if ((await durable.commit(change)) !== 'conflict') return { identity, text, isNew: true }
  }
  throw lostRaces(identityKey)
}

/** Writes the pepper's record again if the store has lost it. */
async function restorePepper(
  durable: DurableStore,
  keyring: Keyring,
  identity: StoreIdentity,
  now: () => number
): Promise<void> {
  if ((await find(durable, pepperKey)) !== undefined) return
  const audit = createEntryMaker(new Pepper(identity.pepper), now)('system', 'store.repair', 'store')
  await durable.commit({ writes: [pepperWrite(keyring, identity)], audit })
}

/**
 * Checks the master keys against a store without changing it.
 * @returns its identity; undefined if it is empty, or of a version without identities
 * @throws WrongMasterKey, UnusableStore, StoreUnavailable
 */
export async function checkIdentity(durable: DurableStore, keyring: Keyring): Promise<StoreIdentity | undefined> {
  const stored = await durable.get(identityKey)
  if (stored !== undefined) return openIdentityText(keyring, stored.text)
  const pepper = await durable.get(pepperKey)
  if (pepper !== undefined) createPepperSealer(keyring).open(pepper)
  return undefined
}
