import type { Credentials } from '../auth/credential.js'
import type { DurableStore, Store } from '../store/store.js'
import { type AuditLog, createAuditLog } from './audit.js'
import { KeySealer } from './client-keys.js'
import { Clients } from './clients.js'
import { CredentialSource } from './credentials.js'
import { ImportStatus } from './import-status.js'
import { Imports } from './imports.js'
import { createHasher, createKeyring, type Keyring } from './keyring.js'
import { LicenseFactory } from './license-factory.js'
import { Licenses } from './licenses.js'
import { sealRecords } from './migrate.js'
import { checkPepper, markRecordsSealed, type OpenedPepper, openPepper, reencryptPepper } from './pepper.js'
import { createRecordSealer, type RecordAccess } from './records.js'
import { type ReencryptedPage, reencryptPage } from './reencrypt.js'
import { Tickets } from './tickets.js'
import { Tokens } from './tokens.js'
import { type RegistryLog, UnreadableReports } from './unreadable.js'

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
  /** Seals what the store keeps of a bridge session, bound to it (PROTOCOL §12). */
  sealSession(sessionId: string, text: string): string
  /** @throws CannotUnseal */
  unsealSession(sessionId: string, sealed: string): string
  /** See {@link Keyring.hashHandshake}. */
  hashHandshake(text: string): readonly Uint8Array[]
  /** Completes a change of the master key, see {@link reencryptPage}. @throws RegistryError, StoreUnavailable */
  reencrypt(after: string, limit: number, actor: string): Promise<ReencryptedPage>
}

const silentLog: RegistryLog = { warn() {} }

async function migrate(
  records: RecordAccess,
  keyring: Keyring,
  audit: AuditLog,
  log: RegistryLog,
  { sealsRecords }: OpenedPepper
): Promise<void> {
  if (sealsRecords) return
  const sealed = await sealRecords(records, audit)
  await markRecordsSealed(records.durable, keyring, audit)
  log.warn({ records: sealed }, 'sealed the records that an earlier version wrote')
}

/** Checks the master keys against a store and changes nothing. @throws WrongMasterKey, StoreUnavailable */
export function checkMasterKeys(durable: DurableStore, masterKeys: readonly Uint8Array[]): Promise<void> {
  return checkPepper(durable, createKeyring(masterKeys))
}

/**
 * Opens the registry over a store. A store of an earlier version, with plain records, is migrated first.
 * @param masterKeys  32 bytes each; the first one seals, every one unseals
 * @param now         unix milliseconds
 * @param log         gets a line for what does not open
 * @throws WrongMasterKey, StoreUnavailable
 */
export async function openRegistry(
  { durable, tickets: ticketStore }: Pick<Store, 'durable' | 'tickets'>,
  masterKeys: readonly Uint8Array[],
  now: () => number,
  log: RegistryLog = silentLog
): Promise<Registry> {
  const keyring = createKeyring(masterKeys)
  const opened = await openPepper(durable, keyring, now)
  const { pepper } = opened
  const reports = new UnreadableReports(log)
  const records: RecordAccess = { durable, sealer: createRecordSealer(keyring, reports) }
  const audit = createAuditLog(durable, pepper, now, reports)
  await migrate(records, keyring, audit, log, opened)
  const keys = new KeySealer(keyring)
  const tickets = new Tickets(ticketStore, durable, keyring, audit, now, reports)
  const credentials = new CredentialSource(records, tickets, keys, now, reports)
  const importStatus = new ImportStatus(records)
  const factory = new LicenseFactory(createHasher(pepper, 'license'), now)
  const reencryption = {
    ...{ records, keys, tickets, audit },
    reencryptPepper: (actor: string) => reencryptPepper(durable, keyring, audit, actor)
  }
  return {
    audit,
    tickets,
    clients: new Clients(records, keys, audit, now),
    licenses: new Licenses(records, factory, importStatus, audit, now),
    imports: new Imports(records, importStatus, factory, audit, now),
    tokens: new Tokens(records, createHasher(pepper, 'token'), audit, now),
    credentials: (clientId, keyId) => credentials.find(clientId, keyId),
    sealSession: (sessionId, text) => keyring.seal('session', text, `session:${sessionId}`),
    unsealSession: (sessionId, sealed) => keyring.unseal('session', sealed, `session:${sessionId}`),
    hashHandshake: keyring.hashHandshake,
    reencrypt: (after, limit, actor) => reencryptPage(reencryption, after, limit, actor)
  }
}
