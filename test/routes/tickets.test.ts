import { StoreUnavailable } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import { startGateway, testAdminToken } from '../helper/gateway.js'
import { caller, onEachStore } from './each-store.js'

onEachStore((t, { open, openStore }) => {
  t.test('a ticket opens a session with its own permissions, which ends with the ticket', async t => {
    const { gateway, admin, token, clock } = await open(t)
    await admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
    const web = await token({ scopes: ['tickets'], clients: ['*'], services: ['*'] })
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
    t.match(JSON.parse(await anonymous.nextText()), { code: 'AUTHENTICATION_FAILED' }, 'needs its keyId')
    const other = await gateway.wire()
    other.authenticate({ ...ticket, clientId: 'somebody' })
    t.match(JSON.parse(await other.nextText()), { code: 'AUTHENTICATION_FAILED' }, 'is valid for its client only')

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

  t.test('revokes one ticket by its keyId', async t => {
    const { gateway, admin, token } = await open(t)
    const web = await token({ scopes: ['tickets'], clients: ['*'] })
    const make = async () => (await web.call('POST', '/v1/tickets', { clientId: 'visitor' })).body
    const [one, two] = [await make(), await make()]
    const [first, second] = [await gateway.session(one), await gateway.session(two)]
    t.equal((await admin('DELETE', `/clients/visitor/keys/${one.keyId}`)).status, 204)
    t.match(await first.next('error'), { code: 'SESSION_REVOKED' })
    t.match(await second.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
    t.equal((await admin('DELETE', `/clients/visitor/keys/${one.keyId}`)).status, 204, 'revoking again changes nothing')
    t.equal((await admin('DELETE', `/clients/other/keys/${two.keyId}`)).status, 404)
    const again = await gateway.wire()
    again.authenticate(one)
    t.match(JSON.parse(await again.nextText()), { code: 'AUTHENTICATION_FAILED' })
  })

  t.test('bug: a revocation that failed halfway can be repeated', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
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

  t.test('suspending a client disables its tickets, deleting it ends its sessions', async t => {
    const { gateway, admin, token, createClient } = await open(t)
    const { clientId } = await createClient()
    const web = await token({ scopes: ['tickets'], clients: ['*'] })
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

  t.test('refuses plain HTTP from other machines', async t => {
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
})
