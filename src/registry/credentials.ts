import { capabilitiesOf } from '../auth/capabilities.js'
import type { Credential, CredentialFault, Credentials } from '../auth/credential.js'
import { ticketsOwner } from '../store/owners.js'
import type { StoredRecord } from '../store/store.js'
import { CannotUnseal } from './aead.js'
import { isLive, type KeySealer, maxLiveKeys, type SealedKey } from './client-keys.js'
import type { ClientRecord } from './clients.js'
import { type RecordAccess, type RecordSealer, UnreadableRecord } from './records.js'
import { isTicketId, type Tickets } from './tickets.js'
import type { UnreadableReports } from './unreadable.js'

const decoyClientId = 'decoy'

/** The client's state for a handshake: if its record cannot be opened, it is refused, including its tickets. */
type FoundClient = ClientRecord | 'unreadable' | undefined

/**
 * Finds the credentials of a handshake. Decoys fill the list up to a fixed length, so an unknown client, a wrong key
 * and a revoked key take the same time and look the same from outside.
 */
export class CredentialSource {
  readonly #records: RecordAccess
  readonly #tickets: Tickets
  readonly #sealer: KeySealer
  readonly #now: () => number
  readonly #reports: UnreadableReports
  readonly #decoyKey: SealedKey
  /** Replaces a missing client, so that opening and parsing take the same time. */
  readonly #decoyRecord: StoredRecord

  /** @param reports  receives each key that cannot be opened */
  constructor(
    records: RecordAccess,
    tickets: Tickets,
    sealer: KeySealer,
    now: () => number,
    reports: UnreadableReports
  ) {
    this.#records = records
    this.#tickets = tickets
    this.#sealer = sealer
    this.#now = now
    this.#reports = reports
    this.#decoyKey = sealer.create(decoyClientId, 0).key
    this.#decoyRecord = decoyRecordWith(this.#decoyKey, records.sealer)
  }

  /**
   * A ticket needs no client record, but a suspended client cannot use its tickets.
   * @param keyId  of a key or a ticket; absent: up to {@link maxLiveKeys} live keys of the client (PROTOCOL §4)
   * @throws StoreUnavailable
   */
  async find(clientId: string, keyId?: string): Promise<Credentials> {
    if (keyId === undefined || !isTicketId(keyId)) return this.#ofClient(await this.#read(clientId), clientId, keyId)
    const [ticket, client] = await Promise.all([this.#tickets.openOrExplain(clientId, keyId), this.#read(clientId)])
    // Also for a ticket that exists, so that both take the same time.
    const decoys = this.#ofClient(client, clientId, keyId)
    if (client === 'unreadable') return { ...decoys, fault: 'unreadable record' }
    if (client?.status === 'suspended') return { ...decoys, fault: 'suspended' }
    if (typeof ticket === 'string') return { ...decoys, fault: ticket }
    const { attributes, secret, expiresAt, createdBy } = ticket
    const ticketOwner = ticketsOwner(createdBy)
    return {
      capabilities: capabilitiesOf(ticket),
      attributes,
      credentials: [{ keyId, secret, usable: true, expiresAt }],
      ...(ticketOwner === undefined ? {} : { ticketOwner })
    }
  }

  async #read(clientId: string): Promise<FoundClient> {
    const { durable, sealer } = this.#records
    const stored = await durable.get(`client:${clientId}`)
    try {
      const record = sealer.open<ClientRecord>(stored ?? this.#decoyRecord)
      return stored === undefined ? undefined : record
    } catch (error) {
      if (error instanceof UnreadableRecord) return 'unreadable'
      throw error
    }
  }

  #ofClient(found: FoundClient, clientId: string, keyId: string | undefined): Credentials {
    const client = found === 'unreadable' ? undefined : found
    const fault = faultOf(found, keyId, this.#now())
    const usable = client === undefined ? [] : this.#usableKeys(client, keyId)
    const credentials = Array.from({ length: keyId === undefined ? maxLiveKeys : 1 }, (_, i): Credential => {
      // The newest key first: it is the most likely one.
      const key = usable[usable.length - 1 - i]
      return key === undefined ? this.#decoy() : this.#open(clientId, key)
    })
    const capabilities = capabilitiesOf(client ?? {})
    return { capabilities, attributes: {}, credentials, ...(fault === undefined ? {} : { fault }) }
  }

  #usableKeys({ status, keys }: ClientRecord, keyId: string | undefined): readonly SealedKey[] {
    if (status !== 'active') return []
    const at = this.#now()
    return keys.filter(key => isLive(key, at) && (keyId === undefined || key.keyId === keyId))
  }

  #decoy(): Credential {
    return { keyId: this.#decoyKey.keyId, secret: this.#sealer.open(decoyClientId, this.#decoyKey), usable: false }
  }

  /** A key that cannot be opened is refused like an unknown one. */
  #open(clientId: string, key: SealedKey): Credential {
    const { keyId, expiresAt } = key
    try {
      const secret = this.#sealer.open(clientId, key)
      return { keyId, secret, usable: true, ...(expiresAt === undefined ? {} : { expiresAt }) }
    } catch (error) {
      if (!(error instanceof CannotUnseal)) throw error
      this.#reports.report({ clientId, keyId })
      return this.#decoy()
    }
  }
}

/** Why no key of a client is usable. Without a keyId the newest key counts. @param at  unix milliseconds */
function faultOf(found: FoundClient, keyId: string | undefined, at: number): CredentialFault | undefined {
  if (found === undefined) return 'unknown client'
  if (found === 'unreadable') return 'unreadable record'
  if (found.status !== 'active') return 'suspended'
  const keys = keyId === undefined ? found.keys : found.keys.filter(key => key.keyId === keyId)
  const newest = keys.findLast(key => isLive(key, at)) ?? keys.at(-1)
  if (newest === undefined) return 'unknown key'
  if (isLive(newest, at)) return undefined
  return newest.revokedAt === undefined ? 'expired' : 'revoked'
}

function decoyRecordWith(decoy: SealedKey, sealer: RecordSealer): StoredRecord {
  const record: ClientRecord = {
    clientId: decoyClientId,
    status: 'suspended',
    ...capabilitiesOf({ services: ['*'] }),
    attributes: {},
    createdAt: 0,
    updatedAt: 0,
    keys: [decoy]
  }
  const key = `client:${decoyClientId}` as const
  return { key, version: 0, text: sealer.sealLatest(key, record) }
}
