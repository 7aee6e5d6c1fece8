import { randomBytes } from 'node:crypto'
import type { SessionKeys } from '../protocol/handshake.js'
import type { DurableStore, RecordKey, Store } from '../store/store.js'
import { type Audit, createAudit } from './audit.js'
import { changeRecord, readRecord } from './changes.js'
import { type Clients, type Credentials, createClients } from './clients.js'
import { createImportOutcomes, createImports, type Imports } from './imports.js'
import { CannotUnseal, createHasher, createKeyring, type Keyring } from './keyring.js'
import { createLicenses, type Licenses } from './licenses.js'
import { createTickets, isTicketId, type Tickets } from './tickets.js'
import { createTokens, type Tokens } from './tokens.js'

/** Clients and their keys, licenses, tokens, tickets and the audit log, behind the key ring. */
export interface Registry {
  readonly clients: Clients
  readonly licenses: Licenses
  readonly imports: Imports
  readonly tokens: Tokens
  readonly tickets: Tickets
  readonly audit: Audit
  /**
   * What a handshake may use: of a client's key, or of a ticket, which needs no record of its client but is refused
   * where there is a suspended one. See {@link Clients} `credentials` for what it says of those that do not exist.
   */
  credentials(clientId: string, keyId?: string): Promise<Credentials>
  /** Session keys for the store (PROTOCOL §12): sealed under the master key, bound to their session. */
  sealSessionKeys(sessionId: string, keys: SessionKeys): string
  /** @throws CannotUnseal */
  openSessionKeys(sessionId: string, sealed: string): SessionKeys
  /** Seals the pepper anew where it was sealed under another master key. @returns whether it was */
  reencryptPepper(actor: string): Promise<boolean>
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
async function openPepper(records: DurableStore, keyring: Keyring, now: () => number): Promise<Uint8Array> {
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
  { durable: records, tickets: ticketStore }: Pick<Store, 'durable' | 'tickets'>,
  masterKeys: readonly Uint8Array[],
  now: () => number
): Promise<Registry> {
  const keyring = createKeyring(masterKeys)
  const pepper = await openPepper(records, keyring, now)
  const audit = createAudit(records, createHasher(pepper, 'audit'), now)
  const clients = createClients(records, keyring, audit, now)
  const outcomes = createImportOutcomes(records)
  const licenses = createLicenses(records, outcomes, createHasher(pepper, 'license'), audit, now)
  const tickets = createTickets(ticketStore, records, keyring, audit, now)

  return {
    audit,
    clients,
    tickets,
    licenses,
    imports: createImports(records, outcomes, licenses.prepare, audit, now),
    tokens: createTokens(records, createHasher(pepper, 'token'), audit, now),
    reencryptPepper: actor =>
      changeRecord<{ sealed: string }, boolean>(records, pepperKey, stored => {
        if (stored === undefined || !keyring.isStale(stored.sealed)) return { result: false }
        const write = { sealed: keyring.seal(keyring.unseal(stored.sealed, pepperKey), pepperKey) }
        return { write, audit: audit.entry(actor, 'store.reencrypt', 'store'), result: true }
      }),
    sealSessionKeys: (sessionId, { clientKey, serverKey }) =>
      keyring.seal(Buffer.concat([clientKey, serverKey]).toString('base64'), `session:${sessionId}`),
    openSessionKeys(sessionId, sealed) {
      const both = Buffer.from(keyring.unseal(sealed, `session:${sessionId}`), 'base64')
      return { clientKey: both.subarray(0, both.length / 2), serverKey: both.subarray(both.length / 2) }
    },
    async credentials(clientId, keyId) {
      if (keyId === undefined || !isTicketId(keyId)) return clients.credentials(clientId, keyId)
      const [ticket, known] = await Promise.all([tickets.open(clientId, keyId), clients.credentials(clientId, keyId)])
      if (ticket === undefined || known.status === 'suspended') return known
      const { subscribe, publish, services, attributes, secret, expiresAt } = ticket
      return {
        capabilities: { subscribe, publish, services },
        attributes,
        credentials: [{ keyId, secret, usable: true, expiresAt }]
      }
    }
  }
}
