import type { Credentials } from '../auth/credential.js'
import type { DurableStore, Store } from '../store/store.js'
import { type AuditLog, createAuditHasher, createAuditLog } from './audit.js'
import { AuditRetention } from './audit-retention.js'
import { startBackup } from './backup.js'
import { KeySealer } from './client-keys.js'
import { Clients } from './clients.js'
import { CredentialSource } from './credentials.js'
import { DamageWatch } from './damage-watch.js'
import { checkIdentity, openIdentity, type StoreIdentity } from './identity.js'
import { IdentityWatch } from './identity-watch.js'
import { ImportStatus } from './import-status.js'
import { Imports } from './imports.js'
import { createHasher, createKeyring } from './keyring.js'
import { LicenseFactory } from './license-factory.js'
import { Licenses } from './licenses.js'
import { SchemaUpgrade } from './migrate.js'
import { Pepper } from './pepper.js'
import { createRecordSealer, type RecordAccess } from './records.js'
import { type ReencryptedPage, reencryptPage } from './reencrypt.js'
import { reencryptMeta } from './reencrypt-meta.js'
import { Restores } from './restore.js'
import { currentForm, type SchemaInUse } from './schema-in-use.js'
import { SecretWatch } from './secret-watch.js'
import { createTicketSealer } from './ticket-sealer.js'
import { Tickets } from './tickets.js'
import { Tokens } from './tokens.js'
import { type RegistryLog, UnreadableReports } from './unreadable.js'

export { UnusableStore } from './identity.js'
export { WrongMasterKey } from './pepper.js'

/** Durable data: clients and their keys, licenses, API tokens, tickets and the audit log. All records are sealed. */
export interface Registry {
  readonly clients: Clients
  readonly licenses: Licenses
  readonly imports: Imports
  readonly tokens: Tokens
  readonly tickets: Tickets
  readonly audit: AuditLog
  /**
   * The credentials of a handshake, see {@link CredentialSource.find}.
   * @throws StoreUnavailable
   */
  credentials(clientId: string, keyId?: string): Promise<Credentials>
  /** Seals stored data of a bridge session, bound to the session (PROTOCOL §12). */
  sealSession(sessionId: string, text: string): string
  /** @throws CannotUnseal */
  unsealSession(sessionId: string, sealed: string): string
  /** A keyed hash for calls, the same for all instances: 32 hex characters (PROTOCOL §16). */
  hashCall(text: string): string
  /** See {@link Keyring.hashHandshake}. */
  hashHandshake(text: string): readonly Uint8Array[]
  /** The form in which this instance writes. */
  readonly schema: Readonly<SchemaInUse>
  /** Whether the store is the one that this instance uses. */
  readonly identity: IdentityWatch
  /** Losses of the store other than single records. */
  readonly damage: Pick<DamageWatch, 'problem'>
  /**
   * Checks the store's identity, migrates its schema and trims the audit log. Call it about once a second. @throws
   * StoreUnavailable
   */
  tick(): Promise<void>
  /** See {@link startBackup}. @throws RegistryError, StoreUnavailable */
  backup(actor: string): Promise<AsyncGenerator<string>>
  readonly restores: Restores
  /** Keyed digests of this instance's secrets, for its announcement. */
  secretDigests(): SecretWatch['digests']
  /** Completes a change of the master key, see {@link reencryptPage}. @throws RegistryError, StoreUnavailable */
  reencrypt(after: string, limit: number, actor: string): Promise<ReencryptedPage>
}

const silentLog: RegistryLog = { warn() {} }

/**
 * Checks the master keys against a store without changing it.
 * @returns the store's identity; undefined if it is empty, or of a version without identities
 * @throws WrongMasterKey, UnusableStore, StoreUnavailable
 */
export function checkMasterKeys(
  durable: DurableStore,
  masterKeys: readonly Uint8Array[]
): Promise<StoreIdentity | undefined> {
  return checkIdentity(durable, createKeyring(masterKeys))
}

/**
 * Gives an empty store its identity.
 * @returns the identity, and whether it is new
 * @throws WrongMasterKey, UnusableStore, StoreUnavailable
 */
export function initializeStore(
  durable: DurableStore,
  masterKeys: readonly Uint8Array[],
  now: () => number
): Promise<{ readonly identity: StoreIdentity; readonly isNew: boolean }> {
  return openIdentity(durable, createKeyring(masterKeys), now)
}

export interface RegistryOptions {
  /** Retention of audit entries in days. Default 0: unlimited. */
  readonly auditDays?: number
  /** Compared with the version of other instances. */
  readonly adminToken?: string
}

/**
 * Opens the registry over a store, and binds the store's calls to its identity. An empty store gets one. A store of an
 * earlier version, with plain records, is migrated once no instance of that version uses it.
 * @param masterKeys  32 bytes each; the first one seals, all unseal
 * @param now         unix milliseconds
 * @param log         receives a line for each record that cannot be opened
 * @throws WrongMasterKey, UnusableStore, StoreUnavailable
 */
export async function openRegistry(
  store: Pick<Store, 'durable' | 'tickets' | 'pin' | 'restore' | 'announcements'>,
  masterKeys: readonly Uint8Array[],
  now: () => number,
  log: RegistryLog = silentLog,
  { auditDays = 0, adminToken = '' }: RegistryOptions = {}
): Promise<Registry> {
  const { durable, tickets: ticketStore, pin } = store
  const schema = currentForm()
  const keyring = createKeyring(masterKeys, schema)
  const opened = await openIdentity(durable, keyring, now)
  const pepper = new Pepper(opened.identity.pepper)
  const identity = new IdentityWatch({ pin, keyring, pepper, schema, log, now }, opened)
  const reports = new UnreadableReports(log)
  const records: RecordAccess = { durable, sealer: createRecordSealer(keyring, reports, schema) }
  const audit = createAuditLog(records, pepper, now, reports)
  const upgrade = new SchemaUpgrade({ store, records, keyring, schema, watch: identity, audit, log, now })
  await upgrade.start()
  const secrets = new SecretWatch({ store, pepper, masterKeys, adminToken, log, now })
  const retention = new AuditRetention({ records, audit, hash: createAuditHasher(pepper), log, now, days: auditDays })
  const damage = new DamageWatch({ damage: durable.damage, identity, log, now })
  const keys = new KeySealer(keyring)
  const hashCall = createHasher(pepper, 'call')
  const tickets = new Tickets(ticketStore, durable, createTicketSealer(keyring, schema), audit, now, reports)
  const credentials = new CredentialSource(records, tickets, keys, now, reports)
  const importStatus = new ImportStatus(records)
  const factory = new LicenseFactory(createHasher(pepper, 'license'), createHasher(pepper, 'license export'), now)
  const reencryption = {
    ...{ records, keys, tickets, audit },
    reencryptMeta: (actor: string) => reencryptMeta({ durable, keyring, watch: identity, audit, schema }, actor)
  }
  return {
    ...{ identity, damage, schema, audit, tickets },
    secretDigests: () => secrets.digests,
    backup: actor => startBackup({ store, identity, keyring, audit, now }, actor),
    restores: new Restores({ store, identity, keyring, now }),
    clients: new Clients(records, keys, audit, now),
    licenses: new Licenses(records, factory, importStatus, audit, now),
    imports: new Imports(records, importStatus, factory, audit, now),
    tokens: new Tokens(records, createHasher(pepper, 'token'), audit, now),
    credentials: (clientId, keyId) => credentials.find(clientId, keyId),
    sealSession: (sessionId, text) => keyring.seal('session', text, `session:${sessionId}`),
    unsealSession: (sessionId, sealed) => keyring.unseal('session', sealed, `session:${sessionId}`),
    hashCall: text => hashCall(text).slice(0, 32),
    hashHandshake: keyring.hashHandshake,
    async tick() {
      await identity.check()
      if (identity.problem !== undefined) return
      await upgrade.tick()
      // An earlier version cannot read a trimmed log.
      if (!schema.acceptsPlain) await retention.tick()
      await secrets.tick()
      await damage.tick()
    },
    reencrypt: (after, limit, actor) => reencryptPage(reencryption, after, limit, actor)
  }
}
