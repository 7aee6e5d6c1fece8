import type { Credential, Credentials } from '../auth/credential.js'
import type { DurableStore, StoredRecord } from '../store/store.js'
import { isLive, type KeySealer, maxLiveKeys, type SealedKey } from './client-keys.js'
import type { ClientRecord } from './clients.js'
import { RecordTable, readRecord } from './records.js'
import { isTicketId, type Tickets } from './tickets.js'

const decoyClientId = 'decoy'

/**
 * Finds the credentials of a handshake. Decoys fill the list up to a fixed length, so an unknown client, a wrong key and
 * a revoked key cost the same time and look the same from outside.
 */
export class CredentialSource {
  readonly #durable: DurableStore
  readonly #clients: RecordTable<ClientRecord>
  readonly #tickets: Tickets
  readonly #sealer: KeySealer
  readonly #now: () => number
  readonly #decoyKey: SealedKey
  /** Stands in for a missing client, so that parsing costs the same. */
  readonly #decoyRecord: StoredRecord

  constructor(durable: DurableStore, tickets: Tickets, sealer: KeySealer, now: () => number) {
    this.#durable = durable
    this.#clients = new RecordTable(durable, 'client')
    this.#tickets = tickets
    this.#sealer = sealer
    this.#now = now
    this.#decoyKey = sealer.create(decoyClientId, 0).key
    this.#decoyRecord = decoyRecordWith(this.#decoyKey)
  }

  /**
   * A ticket needs no client record, but a suspended client cannot use its tickets.
   * @param keyId  of a key or a ticket; absent: up to {@link maxLiveKeys} live keys of the client (PROTOCOL §4)
   * @throws StoreUnavailable
   */
  async find(clientId: string, keyId?: string): Promise<Credentials> {
    if (keyId === undefined || !isTicketId(keyId)) return this.#ofClient(await this.#read(clientId), clientId, keyId)
    const [ticket, client] = await Promise.all([this.#tickets.open(clientId, keyId), this.#read(clientId)])
    if (ticket === undefined || client?.status === 'suspended') return this.#ofClient(client, clientId, keyId)
    const { subscribe, publish, services, attributes, secret, expiresAt } = ticket
    return {
      capabilities: { subscribe, publish, services },
      attributes,
      credentials: [{ keyId, secret, usable: true, expiresAt }]
    }
  }

  async #read(clientId: string): Promise<ClientRecord | undefined> {
    const stored = await this.#durable.get(this.#clients.key(clientId))
    const record = readRecord<ClientRecord>(stored ?? this.#decoyRecord)
    return stored === undefined ? undefined : record
  }

  #ofClient(client: ClientRecord | undefined, clientId: string, keyId: string | undefined): Credentials {
    const usable = client === undefined ? [] : this.#usableKeys(client, keyId)
    const credentials = Array.from({ length: keyId === undefined ? maxLiveKeys : 1 }, (_, i): Credential => {
      // The newest key first: it is the likeliest one.
      const key = usable[usable.length - 1 - i]
      return key === undefined
        ? { keyId: this.#decoyKey.keyId, secret: this.#sealer.open(decoyClientId, this.#decoyKey), usable: false }
        : this.#open(clientId, key)
    })
    const { subscribe = [], publish = [], services = [] } = client ?? {}
    return { capabilities: { subscribe, publish, services }, attributes: {}, credentials }
  }

  #usableKeys({ status, keys }: ClientRecord, keyId: string | undefined): readonly SealedKey[] {
    if (status !== 'active') return []
    const at = this.#now()
    return keys.filter(key => isLive(key, at) && (keyId === undefined || key.keyId === keyId))
  }

  #open(clientId: string, key: SealedKey): Credential {
    const { keyId, expiresAt } = key
    const secret = this.#sealer.open(clientId, key)
    return { keyId, secret, usable: true, ...(expiresAt === undefined ? {} : { expiresAt }) }
  }
}

function decoyRecordWith(key: SealedKey): StoredRecord {
  const record: ClientRecord = {
    clientId: decoyClientId,
    status: 'suspended',
    subscribe: [],
    publish: [],
    services: ['*'],
    attributes: {},
    createdAt: 0,
    updatedAt: 0,
    keys: [key]
  }
  return { key: `client:${decoyClientId}`, version: 0, text: JSON.stringify(record) }
}
