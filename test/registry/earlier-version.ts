import { createCipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import type { RecordKey } from '../../src/store/durable.js'
import type { Store } from '../../src/store/store.js'

/** Data of versions before sealed records: plain JSON, with secrets sealed under one key for all purposes. */

/** @returns `v1.<key id>.<body>` */
export function sealV1(masterKey: Uint8Array, text: string, context: string): string {
  const key = new Uint8Array(hkdfSync('sha256', masterKey, '', 'countersign seal', 32))
  const id = createHash('sha256').update('countersign key id').update(masterKey).digest('hex').slice(0, 8)
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
  const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `v1.${id}.${sealed.toString('base64url')}`
}

/** Writes a record with an unchecked audit entry. */
export async function putPlain({ durable }: Pick<Store, 'durable'>, key: RecordKey, text: string): Promise<void> {
  const expect = (await durable.get(key))?.version ?? 0
  await durable.commit({ writes: [{ key, expect, text }], audit: () => ({ hash: '', text: '{"detail":{}}' }) })
}

/** A store of an earlier version with one client and one license of the key `key`, whose pepper is 32 zero bytes. */
export async function fillAsEarlierVersion(
  store: Pick<Store, 'durable'>,
  masterKey: Uint8Array,
  { clientId, keyId, secret }: { clientId: string; keyId: string; secret: string }
): Promise<void> {
  const pepper = Buffer.alloc(32).toString('base64')
  await putPlain(store, 'meta:pepper', JSON.stringify({ sealed: sealV1(masterKey, pepper, 'meta:pepper') }))
  const key = { keyId, createdAt: 0, sealed: sealV1(masterKey, secret, `client:${clientId}:${keyId}`) }
  const client = {
    clientId,
    status: 'active',
    subscribe: [],
    publish: [],
    services: ['*'],
    attributes: { city: 'Bern' }
  }
  const record = { ...client, createdAt: 0, updatedAt: 0, keys: [key] }
  await putPlain(store, `client:${clientId}`, JSON.stringify(record))
}
