import type { Credentials } from '../auth/credential.js'
import type { SessionKeys } from '../protocol/handshake.js'
import type { Store } from '../store/store.js'
import { type AuditLog, createAuditLog } from './audit.js'
import { KeySealer } from './client-keys.js'
import { Clients } from './clients.js'
import { CredentialSource } from './credentials.js'
import { ImportStatus } from './import-status.js'
import { Imports } from './imports.js'
import { createHasher, createKeyring } from './keyring.js'
import { LicenseFactory } from './license-factory.js'
import { Licenses } from './licenses.js'
import { openPepper, reencryptPepper } from './pepper.js'
import { openSessionKeys, sealSessionKeys } from './session-keys.js'
import { Tickets } from './tickets.js'
import { Tokens } from './tokens.js'

export { WrongMasterKey } from './pepper.js'

/** Durable data: clients and their keys, licenses, API tokens, tickets and the audit log. Secrets in it are sealed. */
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
  /** Seals a session's keys for the store (PROTOCOL §12). */
  sealSessionKeys(sessionId: string, keys: SessionKeys): string
  /** @throws CannotUnseal */
  openSessionKeys(sessionId: string, sealed: string): SessionKeys
  /** Seals the pepper under the current master key if needed. @returns whether it did */
  reencryptPepper(actor: string): Promise<boolean>
}

/**
 * Opens the registry over a store.
 * @param masterKeys  32 bytes each; the first one seals, every one unseals
 * @param now         unix milliseconds
 * @throws WrongMasterKey, StoreUnavailable
 */
export async function openRegistry(
  { durable, tickets: ticketStore }: Pick<Store, 'durable' | 'tickets'>,
  masterKeys: readonly Uint8Array[],
  now: () => number
): Promise<Registry> {
  const keyring = createKeyring(masterKeys)
  const pepper = await openPepper(durable, keyring, now)
  const audit = createAuditLog(durable, createHasher(pepper, 'audit'), now)
  const sealer = new KeySealer(keyring)
  const tickets = new Tickets(ticketStore, durable, keyring, audit, now)
  const credentials = new CredentialSource(durable, tickets, sealer, now)
  const importStatus = new ImportStatus(durable)
  const factory = new LicenseFactory(createHasher(pepper, 'license'), now)
  return {
    audit,
    tickets,
    clients: new Clients(durable, sealer, audit, now),
    licenses: new Licenses(durable, factory, importStatus, audit, now),
    imports: new Imports(durable, importStatus, factory, audit, now),
    tokens: new Tokens(durable, createHasher(pepper, 'token'), audit, now),
    credentials: (clientId, keyId) => credentials.find(clientId, keyId),
    sealSessionKeys: (sessionId, keys) => sealSessionKeys(keyring, sessionId, keys),
    openSessionKeys: (sessionId, sealed) => openSessionKeys(keyring, sessionId, sealed),
    reencryptPepper: actor => reencryptPepper(durable, keyring, audit, actor)
  }
}
