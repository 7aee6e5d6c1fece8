import { type Capabilities, capabilitiesOf } from '../auth/capabilities.js'
import type { Attributes } from '../protocol/messages.js'
import type { AuditLog } from './audit.js'
import { type ClientKey, isLive, type KeySealer, rotate, type SealedKey } from './client-keys.js'
import { type RecordAccess, type RecordPage, RecordTable, RegistryError } from './records.js'
import { createId } from './secrets.js'

interface ClientFields extends Capabilities {
  readonly clientId: string
  readonly status: 'active' | 'suspended'
  readonly attributes: Attributes
  /** Unix milliseconds. */
  readonly createdAt: number
  readonly updatedAt: number
}

/** A client as stored. */
export interface ClientRecord extends ClientFields {
  /** Oldest first. */
  readonly keys: readonly SealedKey[]
}

/** A client as shown to operators: without secrets, sealed or not. */
export interface Client extends ClientFields {
  readonly keys: readonly ClientKey[]
}

export interface NewClient extends Partial<Capabilities> {
  readonly clientId?: string
  readonly attributes?: Attributes
}

export type ClientPatch = Partial<Pick<ClientFields, keyof Capabilities | 'status' | 'attributes'>>

/** A new key with its secret, which is returned only once. */
export interface IssuedKey {
  readonly clientId: string
  readonly keyId: string
  readonly secret: string
}

export interface RotatedKey extends IssuedKey {
  /** Latest end of the previous keys, in unix milliseconds. */
  readonly previousExpiresAt: number
}

interface ClientChange<R> {
  readonly write: ClientRecord | 'remove'
  /** Written to the audit log; must not contain a secret. */
  readonly detail?: Readonly<Record<string, unknown>>
  readonly result: R
  /** See `Change`. */
  readonly isProtective?: boolean
}

function publicOf({ keys, ...client }: ClientRecord): Client {
  return { ...client, ...capabilitiesOf(client), keys: keys.map(({ sealed: _, ...key }) => key) }
}

/** Clients and their keys. Every change notifies live sessions of the client. */
export class Clients {
  readonly #table: RecordTable<ClientRecord>
  readonly #sealer: KeySealer
  readonly #audit: AuditLog
  readonly #now: () => number

  constructor(records: RecordAccess, sealer: KeySealer, audit: AuditLog, now: () => number) {
    this.#table = new RecordTable(records, 'client')
    this.#sealer = sealer
    this.#audit = audit
    this.#now = now
  }

  /** @throws RegistryError CONFLICT: the clientId exists */
  create(wanted: NewClient, actor: string): Promise<IssuedKey & { readonly client: Client }> {
    const { clientId = createId('client'), services = ['*'], attributes = {} } = wanted
    const capabilities = capabilitiesOf({ ...wanted, services })
    const at = this.#now()
    const { key, secret } = this.#sealer.create(clientId, at)
    const status = 'active'
    const times = { createdAt: at, updatedAt: at }
    const record: ClientRecord = { clientId, status, ...capabilities, attributes, ...times, keys: [key] }
    const { keyId } = key
    return this.#table.change(clientId, existing => {
      if (existing !== undefined) throw new RegistryError('CONFLICT', `the client ${clientId} exists already`)
      return {
        write: record,
        audit: this.#audit.entry(actor, 'client.create', this.#table.key(clientId), { keyId }),
        event: { kind: 'client', id: clientId },
        result: { clientId, keyId, secret, client: publicOf(record) }
      }
    })
  }

  /** @throws UnreadableRecord, StoreUnavailable */
  async get(clientId: string): Promise<Client | undefined> {
    const record = await this.#table.get(clientId)
    return record === undefined ? undefined : publicOf(record)
  }

  /** Whether the audit log shows that a missing client was deleted. Otherwise the store may have lost it. */
  async wasDeleted(clientId: string): Promise<boolean> {
    return (await this.#audit.lastAction({ kind: 'client', id: clientId })) === 'client.delete'
  }

  /** See {@link RecordTable.list}. */
  async list(after: string, limit: number): Promise<RecordPage<Client>> {
    const { items, ...rest } = await this.#table.list(after, limit)
    return { ...rest, items: items.map(publicOf) }
  }

  /** @throws RegistryError NOT_FOUND */
  update(clientId: string, patch: ClientPatch, actor: string): Promise<Client> {
    return this.#change(clientId, actor, 'client.update', client => {
      const write: ClientRecord = { ...client, ...patch, updatedAt: this.#now() }
      const isProtective = patch.status === 'suspended'
      return { write, detail: { ...patch }, result: publicOf(write), isProtective }
    })
  }

  /** @throws RegistryError NOT_FOUND */
  remove(clientId: string, actor: string): Promise<void> {
    const action = 'client.delete'
    const remove = () =>
      this.#change<void>(clientId, actor, action, () => ({
        ...{ write: 'remove', result: undefined, isProtective: true }
      }))
    const audit = this.#audit.entry(actor, action, this.#table.key(clientId), { wasUnreadable: true })
    return this.#table.removeEvenUnreadable(clientId, remove, { audit, event: { kind: 'client', id: clientId } })
  }

  /**
   * Adds a key. The previous keys stay valid during the overlap.
   * @param overlapSeconds  0: the previous keys end at once
   * @param force           rotates even if the overlap of an earlier rotation has not ended
   * @throws RegistryError NOT_FOUND; CONFLICT: an earlier overlap has not ended
   */
  rotateKey(clientId: string, overlapSeconds: number, force: boolean, actor: string): Promise<RotatedKey> {
    const at = this.#now()
    const previousExpiresAt = at + overlapSeconds * 1000
    const { key, secret } = this.#sealer.create(clientId, at)
    const { keyId } = key
    return this.#change(clientId, actor, 'key.rotate', client => {
      if (!force && client.keys.filter(each => isLive(each, at)).length > 1) {
        throw new RegistryError(
          'CONFLICT',
          `the previous keys of ${clientId} still overlap: wait until they end, or use force`
        )
      }
      return {
        write: { ...client, updatedAt: at, keys: rotate(client.keys, key, at, previousExpiresAt) },
        detail: { keyId, previousExpiresAt: new Date(previousExpiresAt).toISOString() },
        result: { clientId, keyId, secret, previousExpiresAt }
      }
    })
  }

  /** @throws RegistryError NOT_FOUND: the client or its key does not exist */
  revoke(clientId: string, keyId: string, actor: string): Promise<void> {
    return this.#change(clientId, actor, 'key.revoke', client => {
      if (!client.keys.some(key => key.keyId === keyId)) {
        throw new RegistryError('NOT_FOUND', `the client ${clientId} has no key ${keyId}`)
      }
      const at = this.#now()
      const keys = client.keys.map(key => (key.keyId === keyId ? { ...key, revokedAt: key.revokedAt ?? at } : key))
      return { write: { ...client, updatedAt: at, keys }, detail: { keyId }, result: undefined, isProtective: true }
    })
  }

  /** Changes an existing client and notifies its live sessions. */
  #change<R>(
    clientId: string,
    actor: string,
    action: string,
    decide: (client: ClientRecord) => ClientChange<R>
  ): Promise<R> {
    const key = this.#table.key(clientId)
    return this.#table.change<R>(clientId, client => {
      if (client === undefined) throw new RegistryError('NOT_FOUND', `there is no client ${clientId}`)
      const { write, detail, result, isProtective = false } = decide(client)
      return {
        write,
        isProtective,
        audit: this.#audit.entry(actor, action, key, detail),
        event: { kind: 'client', id: clientId },
        result
      }
    })
  }
}
