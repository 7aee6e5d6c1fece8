import { openRegistry } from '../../src/registry/index.js'
import type { RecordKey } from '../../src/store/durable.js'
import type { Store } from '../../src/store/store.js'
import { testAdminToken, testMasterKey } from '../helper/gateway.js'
import { putPlain } from '../registry/earlier-version.js'
import { caller, onEachStore } from './each-store.js'

/** Records that do not open: changed in the store, or sealed under a master key that is missing. */

/** Takes a record from everybody who reads it. */
function damage(store: Store, key: RecordKey): Promise<void> {
  return putPlain(store, key, 'v2.00000000.damaged')
}

/** Pages of at most one record. */
async function pagesOf(
  get: (path: string) => Promise<{ body: { items: object[]; unreadable?: string[]; next?: string } }>,
  path: string
) {
  const pages = []
  for (let after: string | undefined = ''; after !== undefined; ) {
    const { body } = await get(`${path}?limit=1${after === '' ? '' : `&after=${after}`}`)
    pages.push(body)
    after = body.next
  }
  return pages
}

onEachStore((t, { open }) => {
  t.test('bug: lists silently omitted unreadable records', async t => {
    const { admin, gateway, store } = await open(t)
    const get = (path: string) => admin('GET', path)
    for (const clientId of ['a', 'b', 'c']) await gateway.createClient({ clientId })
    const { body: license } = await admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
    const { body: token } = await admin('POST', '/tokens', { name: 'n', scopes: ['read'] })
    t.equal((await get('/clients')).body.unreadable, undefined)
    for (const key of ['client:a', 'client:c', `license:${license.licenseId}`, `token:${token.tokenId}`] as const) {
      await damage(store, key)
    }
    t.match((await get('/clients')).body, { items: [{ clientId: 'b' }], unreadable: ['a', 'c'], next: undefined })
    t.same((await get('/licenses')).body, { items: [], unreadable: [license.licenseId] })
    t.same((await get('/tokens')).body, { items: [], unreadable: [token.tokenId] })
    const pages = await pagesOf(get, '/clients')
    t.match(pages.slice(0, 3), [
      { items: [], unreadable: ['a'], next: 'a' },
      { items: [{ clientId: 'b' }], unreadable: undefined, next: 'b' },
      { items: [], unreadable: ['c'], next: 'c' }
    ])
  })

  t.test('unreadable records can be deleted, with an audit entry, and created again', async t => {
    const { admin, gateway, store } = await open(t)
    await gateway.createClient({ clientId: 'game' })
    const { body: license } = await admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
    const { body: token } = await admin('POST', '/tokens', { name: 'n', scopes: ['read'] })
    const paths = [
      ['/clients/game', 'client:game'],
      [`/licenses/${license.licenseId}`, `license:${license.licenseId}`],
      [`/tokens/${token.tokenId}`, `token:${token.tokenId}`]
    ] as const
    for (const [path, key] of paths) {
      await damage(store, key)
      const refused = path.startsWith('/tokens')
        ? []
        : [await admin('GET', path), await admin('PATCH', path, { status: 'suspended' })]
      for (const { status, body } of refused) {
        t.match(
          { status, body },
          { status: 409, body: { code: 'CONFLICT', message: /does not open.*delete the record/ } }
        )
      }
      t.equal((await admin('DELETE', path)).status, 204, path)
      t.equal((await admin('DELETE', path)).status, 404, 'once')
    }
    const { body: audit } = await admin('GET', '/audit?limit=1000')
    const deletions = audit.items.filter(({ action }: { action: string }) => action.endsWith('.delete'))
    t.match(
      deletions,
      paths.map(([, target]) => ({ target, detail: { wasUnreadable: true } }))
    )
    t.equal(deletions.length, 3)
    t.ok(await gateway.session(await gateway.createClient({ clientId: 'game' })))
    t.equal((await admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })).status, 201)
  })

  t.test('bug: an unreadable ticket could not be revoked', async t => {
    const { admin, clock, gateway, store } = await open(t)
    const { body: ticket } = await caller(gateway, testAdminToken)('POST', '/v1/tickets', { clientId: 'visitor' })
    const wire = await gateway.session(ticket)
    const text = (await store.tickets.get(ticket.keyId)) ?? ''
    t.ok(await store.tickets.replace(ticket.keyId, text, `${text.slice(0, -4)}AAAA`))
    t.equal((await admin('DELETE', `/clients/visitor/keys/${ticket.keyId}`)).status, 204)
    t.match(await wire.next('error'), { code: 'SESSION_REVOKED' })
    const { body: audit } = await admin('GET', '/audit?limit=1000')
    t.match(audit.items.at(-1), { action: 'ticket.revoke', detail: { clientId: 'visitor', wasUnreadable: true } })
    const registry = await openRegistry(store, [testMasterKey], clock.now)
    t.equal(await registry.tickets.openOrExplain('visitor', ticket.keyId), 'revoked')
    t.equal((await admin('DELETE', '/clients/visitor/keys/tkt_none')).status, 404)
  })

  t.test('bug: one damaged record of an import made all licenses unlisted', async t => {
    const { admin, clock, store } = await open(t)
    await admin('POST', '/licenses', { serviceId: 'svc', key: 'own' })
    const { body: opened } = await admin('POST', '/imports')
    const chunk = { licenses: [{ serviceId: 'svc', key: 'imported' }] }
    t.equal((await admin('POST', `/imports/${opened.importId}/licenses`, chunk)).status, 200)
    t.equal((await admin('POST', `/imports/${opened.importId}/commit`)).status, 200)
    await damage(store, `import:${opened.importId}`)
    const registry = await openRegistry(store, [testMasterKey], clock.now)
    const { items, unreadable } = await registry.licenses.list('', 10)
    t.equal(items.length, 1)
    t.equal(unreadable.length, 1)
    const licenseId = unreadable[0] ?? ''
    await t.rejects(registry.licenses.get(licenseId), { code: 'CONFLICT', message: new RegExp(`license:${licenseId}`) })
    await registry.licenses.remove(licenseId, 'admin')
    t.same((await registry.licenses.list('', 10)).unreadable, [])
  })

  t.test('an import with an unreadable record names its line, and can still be aborted', async t => {
    const { admin, store } = await open(t)
    const { body: license } = await admin('POST', '/licenses', { serviceId: 'svc', key: 'known' })
    await damage(store, `license:${license.licenseId}`)
    const { body: opened } = await admin('POST', '/imports')
    const path = `/imports/${opened.importId}`
    const send = (...keys: string[]) =>
      admin('POST', `${path}/licenses`, { licenses: keys.map(key => ({ serviceId: 'svc', key })) })
    t.match(await send('new', 'known'), { status: 409, body: { index: 1, message: /does not open/ } })
    t.equal((await send('new', 'other')).status, 200)
    const licenses = await store.durable.list('license', '', 10)
    const staged = licenses.find(({ key }) => key !== `license:${license.licenseId}`)
    await damage(store, staged?.key ?? 'license:none')
    t.equal((await admin('DELETE', path)).status, 204)
    t.equal((await admin('POST', '/imports')).status, 201)
  })
})
