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
    t.equal(first.resealed, 4, 'three clients and the pepper')
    t.match(await both.call(`/keys/reencrypt?limit=3&after=${first.next}`), { resealed: 2, next: undefined })
    t.match(await both.call('/keys/reencrypt'), { resealed: 0 })
    const alone = await openRegistry(store, [newKey], clock.now)
    for (const { clientId, keyId, secret } of clients) {
      t.match((await alone.credentials(clientId, keyId)).credentials, [{ secret, usable: true }])
    }
  })
})
