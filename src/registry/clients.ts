import { keysWithoutKeyId } from '../protocol/limits.js'
import type { Attributes } from '../protocol/messages.js'
import type { DurableStore, RecordKey, StoredRecord } from '../store/store.js'
import type { Audit } from './audit.js'
import { changeRecord, RegistryError, readRecord } from './changes.js'
import type { Keyring } from './keyring.js'
import { createId, createSecret } from './secrets.js'

/** Keys of one client that can be used at one time: as many as are tried without a keyId (PROTOCOL §4). */
export const maxLiveKeys = keysWithoutKeyId
/** Keys kept on a client's record, ended ones included; the oldest ended ones are forgotten. */
export const maxKeptKeys = 16

/** What a client may do (PROTOCOL §3): patterns, literal characters then at most one final `*`. */
export interface Capabilities {
  readonly subscribe: readonly string[]
  readonly publish: readonly string[]
  readonly services: readonly string[]
}

interface KeyRecord {
  readonly keyId: string
  readonly sealed: string
  readonly createdAt: number
  readonly expiresAt?: number
  readonly revokedAt?: number
}

interface ClientRecord extends Capabilities {
  readonly clientId: string
  readonly status: 'active' | 'suspended'
  readonly attributes: Attributes
  readonly createdAt: number
  readonly updatedAt: number
  readonly keys: readonly KeyRecord[]
}

/** A client as operators see it: no secret, sealed or not. */
export type Client = Omit<ClientRecord, 'keys'> & { readonly keys: readonly Omit<KeyRecord, 'sealed'>[] }

/** A key to try in a handshake. */
export interface Credential {
  readonly keyId: string
  readonly secret: string
  /** False: a decoy, whatever its secret proves. */
  readonly usable: boolean
  readonly expiresAt?: number
}

/** What a handshake may use. */
export interface Credentials {
  readonly capabilities: Capabilities
  /** What is known of the peer, before what it says of itself. */
  readonly attributes: Attributes
  readonly credentials: readonly Credential[]
}

export interface NewClient extends Partial<Capabilities> {
  readonly clientId?: string
  readonly attributes?: Attributes
}

export type ClientPatch = Partial<Capabilities> & {
  readonly status?: ClientRecord['status']
  readonly attributes?: Attributes
}

export interface NewKey {
  readonly clientId: string
  readonly keyId: string
  readonly secret: string
}

function keyOf(clientId: string): RecordKey {
  return `client:${clientId}`
}

function isLive(key: KeyRecord, now: number): boolean {
  return key.revokedAt === undefined && (key.expiresAt === undefined || key.expiresAt > now)
}

function publicOf({ keys, ...client }: ClientRecord): Client {
  return { ...client, keys: keys.map(({ sealed: _, ...key }) => key) }
}

export type Clients = ReturnType<typeof createClients>

/** Clients and their keys. Every change emits a `client` change event, so that live sessions are revalidated. */
export function createClients(records: DurableStore, keyring: Keyring, audit: Audit, now: () => number) {
  function sealPlace(clientId: string, keyId: string): string {
    return `client:${clientId}:${keyId}`
  }

  function makeKey(clientId: string): { key: KeyRecord; secret: string } {
    const keyId = createId('key')
    const secret = createSecret('sk')
    return { key: { keyId, sealed: keyring.seal(secret, sealPlace(clientId, keyId)), createdAt: now() }, secret }
  }

  const decoyPlace = 'decoy'
  const decoyKey: KeyRecord = { keyId: 'decoy', sealed: keyring.seal(createSecret('sk'), decoyPlace), createdAt: 0 }
  const decoy: StoredRecord = {
    key: 'client:decoy',
    version: 0,
    text: JSON.stringify({
      ...{ clientId: 'decoy', status: 'suspended', subscribe: [], publish: [], services: ['*'], attributes: {} },
      ...{ createdAt: 0, updatedAt: 0, keys: [decoyKey] }
    } satisfies ClientRecord)
  }

  function missing(clientId: string): RegistryError {
    return new RegistryError('NOT_FOUND', `there is no client ${clientId}`)
  }

  /** Changes an existing client; `decide` returns what is new of it and what to log. */
  function changeClient<R>(
    clientId: string,
    actor: string,
    action: string,
    decide: (client: ClientRecord) => { write: ClientRecord | 'remove'; detail?: Record<string, unknown>; result: R }
  ): Promise<R> {
    return changeRecord<ClientRecord, R>(records, keyOf(clientId), client => {
      if (client === undefined) throw missing(clientId)
      const { write, detail, result } = decide(client)
      const entry = audit.entry(actor, action, keyOf(clientId), detail)
      return { write, audit: entry, event: { kind: 'client', id: clientId }, result }
    })
  }

  return {
    /** @throws RegistryError CONFLICT: the clientId is taken */
    create(wanted: NewClient, actor: string): Promise<NewKey & { readonly client: Client }> {
      const clientId = wanted.clientId ?? createId('client')
      const { key, secret } = makeKey(clientId)
      const client: ClientRecord = {
        clientId,
        status: 'active',
        subscribe: wanted.subscribe ?? [],
        publish: wanted.publish ?? [],
        services: wanted.services ?? ['*'],
        attributes: wanted.attributes ?? {},
        createdAt: now(),
        updatedAt: now(),
        keys: [key]
      }
      return changeRecord<ClientRecord, NewKey & { client: Client }>(records, keyOf(clientId), existing => {
        if (existing !== undefined) throw new RegistryError('CONFLICT', `the client ${clientId} exists already`)
        return {
          write: client,
          audit: audit.entry(actor, 'client.create', keyOf(clientId), { keyId: key.keyId }),
          event: { kind: 'client', id: clientId },
          result: { clientId, keyId: key.keyId, secret, client: publicOf(client) }
        }
      })
    },

    async get(clientId: string): Promise<Client | undefined> {
      const stored = await records.get(keyOf(clientId))
      return stored === undefined ? undefined : publicOf(readRecord<ClientRecord>(stored))
    },

    /**
     * Seals anew, under the master key in use, what was sealed under another: one page of clients.
     * @returns how many keys, and where the next page begins, if there is one
     */
    async reencrypt(
      after: string,
      limit: number,
      actor: string
    ): Promise<{ readonly resealed: number; readonly next?: string }> {
      const page = (await records.list('client', after, limit)).map(readRecord<ClientRecord>)
      let resealed = 0
      for (const { clientId, keys } of page) {
        if (!keys.some(key => keyring.isStale(key.sealed))) continue
        resealed += await changeClient(clientId, actor, 'key.reencrypt', client => {
          const stale = client.keys.filter(key => keyring.isStale(key.sealed))
          const fresh = client.keys.map(key => {
            if (!stale.includes(key)) return key
            const place = sealPlace(clientId, key.keyId)
            return { ...key, sealed: keyring.seal(keyring.unseal(key.sealed, place), place) }
          })
          return { write: { ...client, keys: fresh }, detail: { keys: stale.length }, result: stale.length }
        })
      }
      const last = page.length === limit ? page.at(-1)?.clientId : undefined
      return { resealed, ...(last === undefined ? {} : { next: last }) }
    },

    /** In the order of their ids, after `after`. */
    async list(after: string, limit: number): Promise<readonly Client[]> {
      return (await records.list('client', after, limit)).map(stored => publicOf(readRecord<ClientRecord>(stored)))
    },

    /** @throws RegistryError NOT_FOUND */
    update(clientId: string, patch: ClientPatch, actor: string): Promise<Client> {
      return changeClient(clientId, actor, 'client.update', client => {
        const write: ClientRecord = { ...client, ...patch, updatedAt: now() }
        return { write, detail: { ...patch }, result: publicOf(write) }
      })
    },

    /** @throws RegistryError NOT_FOUND */
    remove(clientId: string, actor: string): Promise<void> {
      return changeClient(clientId, actor, 'client.delete', () => ({ write: 'remove', result: undefined }))
    },

    /**
     * Gives the client a new key; those that it has end after the overlap.
     * @param overlapSeconds  0: at once
     * @param force           also while an earlier overlap runs
     * @throws RegistryError NOT_FOUND; CONFLICT: an earlier overlap still runs
     */
    rotateKey(
      clientId: string,
      overlapSeconds: number,
      force: boolean,
      actor: string
    ): Promise<NewKey & { readonly previousExpiresAt: number }> {
      const { key, secret } = makeKey(clientId)
      return changeClient(clientId, actor, 'key.rotate', client => {
        const at = now()
        const live = client.keys.filter(each => isLive(each, at))
        if (live.length > 1 && !force) {
          throw new RegistryError('CONFLICT', 'an earlier rotation still overlaps: wait for its end, or use force')
        }
        const previousExpiresAt = at + overlapSeconds * 1000
        const kept = new Set(live.slice(-(maxLiveKeys - 1)))
        const keys = client.keys.map(each => {
          if (!isLive(each, at)) return each
          const latest = kept.has(each) ? previousExpiresAt : at
          return { ...each, expiresAt: Math.min(each.expiresAt ?? latest, latest) }
        })
        const forgotten = new Set(keys.filter(each => !isLive(each, at)).slice(0, -(maxKeptKeys - maxLiveKeys)))
        const write = { ...client, updatedAt: at, keys: [...keys.filter(each => !forgotten.has(each)), key] }
        return {
          write,
          detail: { keyId: key.keyId, previousExpiresAt: new Date(previousExpiresAt).toISOString() },
          result: { clientId, keyId: key.keyId, secret, previousExpiresAt }
        }
      })
    },

    /** @throws RegistryError NOT_FOUND: no such client, or no such key of it */
    revoke(clientId: string, keyId: string, actor: string): Promise<void> {
      return changeClient(clientId, actor, 'key.revoke', client => {
        if (!client.keys.some(each => each.keyId === keyId)) {
          throw new RegistryError('NOT_FOUND', `the client ${clientId} has no key ${keyId}`)
        }
        const keys = client.keys.map(each =>
          each.keyId === keyId ? { ...each, revokedAt: each.revokedAt ?? now() } : each
        )
        return { write: { ...client, updatedAt: now(), keys }, detail: { keyId }, result: undefined }
      })
    },

    /**
     * What a handshake may use: always as many credentials as are tried, filled up with decoys that nobody holds, so
     * that an unknown client, a wrong key and a revoked one cost the same and look the same from outside.
     * @param keyId  absent: the client's live keys, at most {@link maxLiveKeys} (PROTOCOL §4)
     */
    async credentials(
      clientId: string,
      keyId?: string
    ): Promise<Credentials & { readonly status: 'active' | 'suspended' | 'unknown' }> {
      const stored = await records.get(keyOf(clientId))
      const client = readRecord<ClientRecord>(stored ?? decoy)
      const usable =
        client.status === 'active'
          ? client.keys.filter(each => isLive(each, now()) && (keyId === undefined || each.keyId === keyId))
          : []
      const tried = keyId === undefined ? maxLiveKeys : 1
      const credentials = Array.from({ length: tried }, (_, i): Credential => {
        const key = usable[usable.length - 1 - i]
        const { keyId: id, sealed, expiresAt } = key ?? decoyKey
        const secret = keyring.unseal(sealed, key === undefined ? decoyPlace : sealPlace(clientId, id))
        return { keyId: id, secret, usable: key !== undefined, ...(expiresAt === undefined ? {} : { expiresAt }) }
      })
      const { subscribe, publish, services } = client
      const status = stored === undefined ? 'unknown' : client.status
      return { status, capabilities: { subscribe, publish, services }, attributes: {}, credentials }
    }
  }
}
