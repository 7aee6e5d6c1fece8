import type { Test } from 'tap'
import { startGateway } from '../helper/gateway.js'
import type { OpenStoreForTest } from '../helper/stores.js'
import { createChecker, documentOf } from './document.js'

/** Makes a backup of a new store and restores it there. @returns the operations that have returned success */
export async function exerciseBackup(t: Test, openStore: OpenStoreForTest): Promise<ReadonlySet<string>> {
  const { store } = await openStore(t, Date.now)
  const gateway = await startGateway(t, { store })
  const { call, seen } = createChecker(t, gateway, await documentOf(gateway))
  const admin = (method: string, path: string, body?: unknown) => call(method, `/v1/admin${path}`, body)
  const { body: backup } = await admin('GET', '/backup')
  const lines = String(backup)
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  const [header, ...others] = lines
  const { end: trailer } = lines.at(-1)
  const records = others.flatMap(({ record }) =>
    record === undefined ? [] : [{ key: record[0], version: record[1], text: record[2] }]
  )
  const entries = others.flatMap(({ entry }) => (entry === undefined ? [] : [{ seq: entry[0], text: entry[1] }]))
  const { body: left } = await admin('POST', '/restore', header)
  t.equal((await admin('DELETE', `/restore/${left.restoreId}`)).status, 204)
  const { body: started } = await admin('POST', '/restore', header)
  const path = `/restore/${started.restoreId}`
  t.equal((await admin('POST', `/restore/${left.restoreId}`, { records, entries })).status, 409)
  t.equal((await admin('POST', path, { records: [{}] })).status, 400)
  t.equal((await admin('POST', path, { records, entries })).status, 204)
  t.same((await admin('POST', `${path}/commit`, { header, trailer })).body, {
    ...{ storeId: header.storeId, records: records.length, entries: entries.length }
  })
  await admin('POST', '/clients', {})
  t.equal((await admin('POST', '/restore', header)).status, 409, 'the store has clients')
  const { body: token } = await admin('POST', '/tokens', { name: 'r', scopes: ['read'] })
  t.equal((await call('GET', '/v1/admin/backup', undefined, token.token)).status, 403, 'a backup needs scope admin')
  return seen
}
