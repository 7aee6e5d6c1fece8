import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.js'
import { loadConfig } from '../../src/config/load.js'
import { createClock } from '../helper/clock.js'
import { type Gateway, startGateway, testAdminToken, testMasterKey } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'

/** Tokens, tickets, imports and the change of the master key: on both stores. */

function caller({ url }: Gateway, token: string) {
  return async (method: string, path: string, body?: unknown) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const answer = await fetch(url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await answer.text()
    return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
  }
}

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(kind, async t => {
    const open = async (t: Test) => {
      const clock = createClock()
      const { store } = await openStore(t, clock.now)
      const gateway = await startGateway(t, { store, clock })
      const token = async (body: object) => {
        const made = await gateway.admin('POST', '/tokens', { name: 'test', ...body })
        t.equal(made.status, 201)
        return { ...made.body, call: caller(gateway, made.body.token) }
      }
      return { ...gateway, gateway, token }
    }

    t.test('tokens: shown once, kept as a hash, good for their scopes until they end', async t => {
      const { admin, token, gateway, clock, store } = await open(t)
      const reader = await token({ scopes: ['read'] })
      t.match(reader, { tokenId: /^tok_[0-9a-f]{32}$/, token: /^cs_at_/, name: 'test', clients: ['*'], subscribe: [] })
      const { body: listed } = await admin('GET', '/tokens')
      t.equal(listed.items.length, 1)
      t.notMatch(JSON.stringify(listed), /cs_at_/)
      t.notMatch((await store.durable.get(`token:${reader.tokenId}`))?.text, /cs_at_/)
      t.equal((await reader.call('GET', '/v1/admin/clients')).status, 200)
      t.match(await reader.call('POST', '/v1/admin/clients', {}), { status: 403, body: { code: 'PERMISSION_DENIED' } })
      t.equal((await reader.call('POST', '/v1/tickets', { clientId: 'a' })).status, 403)
      const admins = await token({ scopes: ['admin'] })
      t.equal((await admins.call('POST', '/v1/admin/clients', { clientId: 'by-token' })).status, 201)
      const { body: audit } = await admin('GET', '/audit')
      t.match(audit.items.at(-1), { actor: `token:${admins.tokenId}`, action: 'client.create' })
      const tickets = await token({ scopes: ['tickets'] })
      t.equal((await tickets.call('GET', '/v1/admin/clients')).status, 403)
      const expiresAt = new Date(clock.now() + 60_000).toISOString()
      const short = await token({ scopes: ['read'], expiresAt })
      t.equal((await short.call('GET', '/v1/admin/clients')).status, 200)
      clock.advance(60_000)
      t.equal((await short.call('GET', '/v1/admin/clients')).status, 401)
      t.equal((await admin('DELETE', `/tokens/${reader.tokenId}`)).status, 204)
      t.equal((await admin('DELETE', `/tokens/${reader.tokenId}`)).status, 404)
      t.equal((await reader.call('GET', '/v1/admin/clients')).status, 401, 'at once')
      for (const wrong of [`${reader.token}x`, 'cs_at_', randomBytes(40).toString('base64url')]) {
        t.equal((await caller(gateway, wrong)('GET', '/v1/admin/clients')).status, 401)
      }
      for (const body of [{}, { scopes: [] }, { scopes: ['root'] }, { scopes: ['read', 'read'] }]) {
        t.equal((await admin('POST', '/tokens', { name: 'x', ...body })).status, 400)
      }
    })

    t.test('tickets never exceed their token', async t => {
      const { token } = await open(t)
      const web = await token({
        scopes: ['tickets'],
        clients: ['web-*', 'kiosk'],
        subscribe: ['match:*', 'news'],
        publish: ['match:1'],
        services: ['s*']
      })
      const ask = async (body: object) => (await web.call('POST', '/v1/tickets', { clientId: 'web-1', ...body })).status
      t.equal(await ask({}), 201)
      t.equal(
        await ask({ subscribe: ['match:*', 'match:7', 'news'], publish: ['match:1'], services: ['svc', 's*'] }),
        201
      )
      t.equal(await ask({ clientId: 'kiosk' }), 201)
      t.equal(await ask({ clientId: 'kiosk2' }), 403)
      t.equal(await ask({ clientId: 'web' }), 403)
      t.equal(await ask({ subscribe: ['*'] }), 403)
      t.equal(await ask({ subscribe: ['match*'] }), 403)
      t.equal(await ask({ subscribe: ['news*'] }), 403)
      t.equal(await ask({ publish: ['match:*'] }), 403)
      t.equal(await ask({ services: ['*'] }), 403)
      for (const ttl of [29, 86_401, 1.5, '60']) t.equal(await ask({ ttl }), 400)
      t.equal(await ask({ ttl: 30 }), 201)
      t.equal(await ask({ ttl: 86_400 }), 201)
      const bare = await token({ scopes: ['tickets'] })
      t.equal((await bare.call('POST', '/v1/tickets', { clientId: 'x' })).status, 201)
      t.equal((await bare.call('POST', '/v1/tickets', { clientId: 'x', subscribe: ['a'] })).status, 403)
    })

    t.test('a ticket opens a session with its own rights, which ends with it', async t => {
      const { gateway, admin, token, clock } = await open(t)
      await admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
      const web = await token({ scopes: ['tickets'], services: ['*'] })
      const { body: ticket, status } = await web.call('POST', '/v1/tickets', {
        clientId: 'visitor',
        services: ['svc'],
        attributes: { userId: '7' }
      })
      t.equal(status, 201)
      t.match(ticket, { clientId: 'visitor', keyId: /^tkt_/, secret: /^cs_tk_/ })
      t.equal(ticket.expiresAt, new Date(clock.now() + 300_000).toISOString())
      const wire = await gateway.wire()
      const claim = (message: object) => ({ ...message, attributes: { userId: '1', page: 'home' } })
      wire.raw(wire.authenticateFrame(ticket, claim))
      t.match(await wire.next('welcome'), {
        clientId: 'visitor',
        keyId: ticket.keyId,
        expiresAt: clock.now() + 300_000
      })
      wire.seq = 2
      t.match((await admin('GET', '/sessions')).body.items, [{ attributes: { userId: '7', page: 'home' } }])
      t.match(await wire.ask({ type: 'validate', serviceId: 'svc', hwid: 'h', key: 'key' }), { code: 'VALID' })
      const limited = await web.call('POST', '/v1/tickets', { clientId: 'visitor' })
      const poor = await gateway.session(limited.body)
      t.match(await poor.ask({ type: 'validate', serviceId: 'svc', hwid: 'h', key: 'key' }), { code: 'NOT_FOUND' })

      const anonymous = await gateway.wire()
      anonymous.authenticate({ clientId: 'visitor', secret: ticket.secret })
      t.match(JSON.parse(await anonymous.nextText()), { code: 'AUTHENTICATION_FAILED' }, 'only with its keyId')
      const other = await gateway.wire()
      other.authenticate({ ...ticket, clientId: 'somebody' })
      t.match(JSON.parse(await other.nextText()), { code: 'AUTHENTICATION_FAILED' }, 'only as its client')

      for (let i = 0; i < 10; i++) {
        clock.advance(29_999)
        await wire.ask({ type: 'heartbeat' })
        await gateway.app.tick()
      }
      clock.advance(10)
      await gateway.app.tick()
      t.match(await wire.next('error'), { code: 'SESSION_EXPIRED' })
      const late = await gateway.wire()
      late.authenticate(ticket)
      t.match(JSON.parse(await late.nextText()), { code: 'AUTHENTICATION_FAILED' })
    })

    t.test('a ticket is revoked by its keyId, and alone', async t => {
      const { gateway, admin, token } = await open(t)
      const web = await token({ scopes: ['tickets'] })
      const make = async () => (await web.call('POST', '/v1/tickets', { clientId: 'visitor' })).body
      const [one, two] = [await make(), await make()]
      const [first, second] = [await gateway.session(one), await gateway.session(two)]
      t.equal((await admin('DELETE', `/clients/visitor/keys/${one.keyId}`)).status, 204)
      t.match(await first.next('error'), { code: 'SESSION_REVOKED' })
      t.match(await second.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
      t.equal((await admin('DELETE', `/clients/visitor/keys/${one.keyId}`)).status, 204, 'again: the same')
      t.equal((await admin('DELETE', `/clients/other/keys/${two.keyId}`)).status, 404)
      const again = await gateway.wire()
      again.authenticate(one)
      t.match(JSON.parse(await again.nextText()), { code: 'AUTHENTICATION_FAILED' })
    })

    t.test('bug: a ticket revocation whose second half failed can be asked for again', async t => {
      const clock = createClock()
      const { store } = await openStore(t, clock.now)
      const { StoreUnavailable } = await import('../../src/store/store.js')
      const failing = { now: false }
      const commit: typeof store.durable.commit = change =>
        failing.now ? Promise.reject(new StoreUnavailable()) : store.durable.commit(change)
      const gateway = await startGateway(t, { store: { ...store, durable: { ...store.durable, commit } }, clock })
      const { body: ticket } = await caller(gateway, testAdminToken)('POST', '/v1/tickets', { clientId: 'visitor' })
      const wire = await gateway.session(ticket)
      const path = `/clients/visitor/keys/${ticket.keyId}`
      failing.now = true
      t.equal((await gateway.admin('DELETE', path)).status, 503)
      failing.now = false
      t.equal((await gateway.admin('DELETE', path)).status, 204)
      t.match(await wire.next('error'), { code: 'SESSION_REVOKED' })
      const { body } = await gateway.admin('GET', '/audit')
      t.equal(body.items.at(-1).action, 'ticket.revoke')
    })

    t.test('a suspended client has no tickets either, and a deleted one loses its sessions', async t => {
      const { gateway, admin, token, createClient } = await open(t)
      const { clientId } = await createClient()
      const web = await token({ scopes: ['tickets'] })
      const { body: ticket } = await web.call('POST', '/v1/tickets', { clientId })
      const wire = await gateway.session(ticket)
      await admin('PATCH', `/clients/${clientId}`, { status: 'suspended' })
      t.match(await wire.next('error'), { code: 'SESSION_REVOKED' })
      const refused = await gateway.wire()
      refused.authenticate(ticket)
      t.match(JSON.parse(await refused.nextText()), { code: 'AUTHENTICATION_FAILED' })
      await admin('PATCH', `/clients/${clientId}`, { status: 'active' })
      const back = await gateway.session(ticket)
      await admin('DELETE', `/clients/${clientId}`)
      t.match(await back.next('error'), { code: 'SESSION_REVOKED' })
    })

    t.test('bearer paths refuse plain HTTP from beyond loopback', async t => {
      const { store } = await openStore(t, Date.now)
      const { url } = await startGateway(t, { store, config: { trustProxy: ['127.0.0.1'] } })
      const headers = { authorization: `Bearer ${testAdminToken}`, 'content-type': 'application/json' }
      const ask = async (more: object) => {
        const body = JSON.stringify({ clientId: 'a' })
        return (await fetch(`${url}/v1/tickets`, { method: 'POST', headers: { ...headers, ...more }, body })).status
      }
      t.equal(await ask({ 'x-forwarded-for': '203.0.113.1' }), 403)
      t.equal(await ask({ 'x-forwarded-for': '203.0.113.1', 'x-forwarded-proto': 'https' }), 201)
    })

    t.test('an import is seen all at once', async t => {
      const { gateway, admin, createClient } = await open(t)
      const wire = await gateway.session(await createClient())
      const validate = async (key: string) =>
        (await wire.ask({ type: 'validate', serviceId: 's', hwid: 'h', key }))['code']
      await admin('POST', '/licenses', { serviceId: 's', key: 'old' })
      const chunk = (from: number, count: number) => ({
        licenses: Array.from({ length: count }, (_, i) => ({ serviceId: 's', key: `k${from + i}` }))
      })
      const { body, status } = await admin('POST', '/imports')
      t.equal(status, 201)
      const path = `/imports/${body.importId}`
      t.match(await admin('POST', `${path}/licenses`, chunk(0, 500)), { status: 200, body: { accepted: 500 } })
      t.match(await admin('POST', `${path}/licenses`, chunk(500, 100)), { body: { accepted: 100 } })
      t.equal(await validate('k0'), 'NOT_FOUND', 'not yet')
      t.equal((await admin('GET', '/licenses')).body.items.length, 1)
      const refused = async (licenses: unknown, wanted: object) =>
        t.match(await admin('POST', `${path}/licenses`, { licenses }), wanted)
      const extra = { serviceId: 's', key: 'extra' }
      await refused([extra, { serviceId: 's', key: 'k0' }], { status: 409, body: { code: 'CONFLICT', index: 1 } })
      await refused([extra, { serviceId: 's', key: 'old' }], { status: 409, body: { index: 1 } })
      await refused([extra, extra], { status: 409, body: { index: 1 } })
      await refused([extra, { ...extra, key: 'x', expiresAt: '2026-02-31T00:00:00Z' }], { status: 400 })
      await refused([extra, { serviceId: 's' }], { status: 400 })
      await refused([], { status: 400 })
      await refused(chunk(0, 501).licenses, { status: 400 })
      t.equal((await admin('POST', '/licenses', { serviceId: 's', key: 'k1' })).status, 409, 'k1 is on its way')
      t.match(await admin('POST', `${path}/commit`), { status: 200, body: { licenses: 600 } })
      t.equal(await validate('k0'), 'VALID')
      t.equal(await validate('k599'), 'VALID')
      t.equal(await validate('extra'), 'NOT_FOUND', 'a refused chunk left nothing')
      const pages = []
      for (let after = ''; ; ) {
        const page = (await admin('GET', `/licenses?limit=250&after=${after}`)).body
        pages.push(page.items.length)
        if (page.next === undefined) break
        after = page.next
      }
      t.same(pages, [250, 250, 101])
      t.notMatch(JSON.stringify((await admin('GET', '/licenses?limit=5')).body), /importId/)
      t.equal((await admin('POST', `${path}/commit`)).status, 409)
      t.equal((await admin('POST', `${path}/licenses`, chunk(900, 1))).status, 409)
      t.equal((await admin('DELETE', path)).status, 409)
      t.equal((await admin('POST', '/imports/imp_none/commit')).status, 404)
    })

    t.test('an import that is given up, or was left by a crash, leaves nothing', async t => {
      const { admin, store } = await open(t)
      const stage = async () => {
        const { importId } = (await admin('POST', '/imports')).body
        const licenses = Array.from({ length: 30 }, (_, i) => ({ serviceId: 's', key: `k${i}` }))
        t.equal((await admin('POST', `/imports/${importId}/licenses`, { licenses })).status, 200)
        return importId
      }
      const left = async () =>
        (await store.durable.list('license', '', 99)).length + (await store.durable.list('staged', '', 99)).length
      const first = await stage()
      t.equal(await left(), 31)
      t.equal((await admin('DELETE', `/imports/${first}`)).status, 204)
      t.equal(await left(), 0)
      const second = await stage()
      const third = await stage()
      t.equal(await left(), 31, 'a new import clears what another had left')
      t.equal((await admin('POST', `/imports/${second}/commit`)).status, 409)
      t.equal((await admin('POST', `/imports/${third}/commit`)).status, 200)
      t.equal((await admin('GET', '/licenses')).body.items.length, 30)
      t.match((await admin('GET', '/audit/verify')).body, { entries: /\d/, brokenAt: undefined })
    })

    t.test('the master key is changed without anybody noticing', async t => {
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
      const { openRegistry } = await import('../../src/registry/index.js')
      const alone = await openRegistry(store, [newKey], clock.now)
      for (const { clientId, keyId, secret } of clients) {
        t.match((await alone.credentials(clientId, keyId)).credentials, [{ secret, usable: true }])
      }
    })
  })
}
