import { randomBytes } from 'node:crypto'
import { buildApp } from '../../src/app.js'
import { loadConfig } from '../../src/config/load.js'
import { openRegistry } from '../../src/registry/index.js'
import { createClock } from '../helper/clock.js'
import { startGateway, testAdminToken, testMasterKey } from '../helper/gateway.js'
import { onEachStore } from './each-store.js'

onEachStore((t, { openStore }) => {
  t.test('the master key changes without a change of credentials', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const gateway = await startGateway(t, { store, clock })
    const clients = []
    for (let i = 0; i < 5; i++) clients.push(await gateway.createClient())
    const newKey = randomBytes(32)
    const { config } = loadConfig({ COUNTERSIGN_RATE_LIMIT: 'off' })
    const restart = async (masterKeys: Uint8Array[]) => {
      const app = await buildApp({ config, store, masterKeys, adminToken: testAdminToken, now: clock.now })
      const call = async (path: string) => {
        const headers = { authorization: `Bearer ${testAdminToken}` }
        return (await app.server.inject({ method: 'POST', url: `/v1/admin${path}`, headers })).json()
      }
      return { app, call }
    }
    const both = await restart([newKey, testMasterKey])
    const first = await both.call('/keys/reencrypt?limit=3')
    t.equal(first.resealed, 5, 'three clients, the pepper and the identity')
    t.match(await both.call(`/keys/reencrypt?limit=3&after=${first.next}`), { resealed: 2, next: undefined })
    t.match(await both.call('/keys/reencrypt'), { resealed: 0 })
    const alone = await openRegistry(store, [newKey], clock.now)
    for (const { clientId, keyId, secret } of clients) {
      t.match((await alone.credentials(clientId, keyId)).credentials, [{ secret, usable: true }])
    }
  })

  t.test('reencrypt covers records of every kind, tickets and the pepper, page by page', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const old = await openRegistry(store, [testMasterKey], clock.now)
    for (let i = 0; i < 3; i++) {
      await old.clients.create({ clientId: `c${i}` }, 'admin')
      await old.licenses.create({ serviceId: 'svc', key: `key-${i}` }, 'admin')
      await old.tokens.create({ name: 't', scopes: ['read'], clients: [] }, 'admin')
    }
    const tickets = await Promise.all(Array.from({ length: 3 }, () => old.tickets.create({ clientId: 'c0' }, 'admin')))
    await old.tickets.revoke('c0', tickets[2]?.keyId ?? '', 'admin')
    await old.imports.start('admin')
    const newKey = randomBytes(32)
    const both = await openRegistry(store, [newKey, testMasterKey], clock.now)
    const all = async () => {
      let resealed = 0
      for (let after: string | undefined = ''; after !== undefined; ) {
        const page: Awaited<ReturnType<typeof both.reencrypt>> = await both.reencrypt(after, 2, 'admin')
        t.equal(page.unreadable, undefined)
        resealed += page.resealed
        after = page.next
      }
      return resealed
    }
    t.equal(
      await all(),
      16,
      '3 clients, licenses, tokens and tickets, an import, its name, the pepper and the identity'
    )
    t.equal(await all(), 0)
    const alone = await openRegistry(store, [newKey], clock.now)
    t.match(await Promise.all(tickets.map(({ keyId }) => alone.tickets.open('c0', keyId))), [
      tickets[0],
      tickets[1],
      undefined
    ])
    t.equal((await alone.licenses.list('', 10)).items.length, 3)
    t.equal((await alone.tokens.list('', 10)).items.length, 3)
    t.match(await alone.audit.verify(), { brokenAt: undefined })
    await t.rejects(both.reencrypt('nonsense', 2, 'admin'), { code: 'BAD_REQUEST' })
  })
})
