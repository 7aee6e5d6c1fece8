import { recordKinds } from '../store/restore.js'
import { identityKey, type Store, type StoredRecord } from '../store/store.js'
import type { AuditLog } from './audit.js'
import { encodeIdentity } from './identity.js'
import type { IdentityWatch } from './identity-watch.js'
import type { Keyring } from './keyring.js'
import { createPepperSealer, isPlainRecord, type PepperRecord, pepperId, pepperKey } from './pepper.js'
import { type RecordAccess, RecordTable } from './records.js'
import { rewriteRecords } from './rewrite.js'
import { currentSchema, type SchemaInUse, writesPlain } from './schema-in-use.js'
import type { RegistryLog } from './unreadable.js'

/** Records read per round trip. */
const pageRecords = 500
/** Time without an instance of an earlier version before migration. Longer than the life of an instance's heartbeat. */
export const quietMs = 30_000
/** Interval between checks for such instances, in milliseconds. */
const checkEveryMs = 5000

/**
 * Seals every record of a store that an earlier version wrote. It can be interrupted, repeated, and run by several
 * instances concurrently.
 * @returns the number of sealed records
 * @throws StoreUnavailable
 */
async function sealRecords({ durable, sealer }: RecordAccess, audit: AuditLog): Promise<number> {
  const textOf = ({ key, text }: StoredRecord) =>
    key !== pepperKey && key !== identityKey && isPlainRecord({ text }) ? sealer.seal(key, JSON.parse(text)) : undefined
  let sealed = 0
  for (const kind of recordKinds) {
    const entry = (records: number) => audit.entry('system', 'store.seal', 'store', { kind, records })
    for (let after = ''; ; ) {
      const page = await durable.list(kind, after, pageRecords)
      sealed += await rewriteRecords({ durable, textOf, entry }, page)
      const last = page.at(-1)
      if (last === undefined || page.length < pageRecords) break
      after = last.key.slice(kind.length + 1)
    }
  }
  return sealed
}

export interface SchemaUpgradeOptions {
  readonly store: Pick<Store, 'durable' | 'announcements'>
  readonly records: RecordAccess
  readonly keyring: Keyring
  readonly schema: SchemaInUse
  readonly watch: IdentityWatch
  readonly audit: AuditLog
  readonly log: RegistryLog
  /** Unix milliseconds. */
  readonly now: () => number
}

/**
 * Migrates a store of an earlier version to the current schema once no instance of that version uses it. Until then
 * this instance writes in a form that the earlier version can read. Call {@link tick} about once a second.
 */
export class SchemaUpgrade {
  readonly #options: SchemaUpgradeOptions
  #checkedAt = Number.NEGATIVE_INFINITY
  #olderSeenAt = Number.NEGATIVE_INFINITY
  #isReported = false

  constructor(options: SchemaUpgradeOptions) {
    this.#options = options
  }

  /** Call it after the store was opened. @throws StoreUnavailable */
  async start(): Promise<void> {
    await this.#readForm()
    await this.tick()
  }

  /** @throws StoreUnavailable */
  async tick(): Promise<void> {
    const { schema, now } = this.#options
    if (!schema.acceptsPlain || now() - this.#checkedAt < checkEveryMs) return
    this.#checkedAt = now()
    if (writesPlain(schema) && (await this.#isShared())) return
    await this.#upgrade()
  }

  /** Whether an instance of an earlier version uses the store, or did recently. */
  async #isShared(): Promise<boolean> {
    const { store, log, now } = this.#options
    const announced = await store.announcements()
    if (announced === undefined || announced.some(({ schemaVersion }) => schemaVersion < currentSchema)) {
      this.#olderSeenAt = now()
      if (!this.#isReported) log.warn({ instances: announced?.length }, reasonToWait(announced))
      this.#isReported = true
    }
    return now() - this.#olderSeenAt < quietMs
  }

  async #upgrade(): Promise<void> {
    const { records, audit, log } = this.#options
    // The identity first: from now on no instance can commit a change in the earlier form.
    await this.#raiseSchema()
    const sealed = await sealRecords(records, audit)
    await this.#markSealed()
    log.warn({ records: sealed }, 'sealed the records that an earlier version wrote')
  }

  async #raiseSchema(): Promise<void> {
    const { store, watch, keyring, audit } = this.#options
    for (;;) {
      const stored = await store.durable.get(identityKey)
      const { identity } = watch
      if (stored === undefined || identity.schemaVersion >= currentSchema) return
      const raised = { ...identity, schemaVersion: currentSchema }
      const text = encodeIdentity(keyring, raised)
      const write = { key: identityKey, expect: stored.version, text } as const
      const entry = audit.entry('system', 'store.upgrade', 'store', { schemaVersion: currentSchema })
      if ((await store.durable.commit({ writes: [write], audit: entry })) !== 'conflict') {
        watch.accept({ identity: raised, text })
        return
      }
      await watch.check()
    }
  }

  #pepperTable(): RecordTable<PepperRecord> {
    const { store, keyring } = this.#options
    return new RecordTable({ durable: store.durable, sealer: createPepperSealer(keyring) }, 'meta')
  }

  /** Records that every record is sealed: from now on no instance accepts a plain one. */
  async #markSealed(): Promise<void> {
    const { audit, schema } = this.#options
    await this.#pepperTable().change<void>(pepperId, stored => {
      if (stored === undefined || stored.sealsRecords) return { result: undefined }
      const write = { ...stored, sealsRecords: true }
      return { write, audit: audit.entry('system', 'store.seal', 'store'), result: undefined }
    })
    schema.acceptsPlain = false
  }

  async #readForm(): Promise<void> {
    const pepper = await this.#pepperTable().get(pepperId)
    this.#options.schema.acceptsPlain = pepper?.sealsRecords === false
  }
}

function reasonToWait(announced: readonly unknown[] | undefined): string {
  return announced === undefined
    ? 'records are not sealed yet: Redis does not report which instances use it: permit PUBSUB to the gateway'
    : 'instances of an earlier version use the store: records are sealed when the last of them has stopped'
}
