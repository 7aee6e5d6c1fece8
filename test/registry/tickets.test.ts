import { ticketSeconds } from '../../src/registry/tickets.js'
import { onEachStore } from './each-store.js'

onEachStore((t, { clock, open }) => {
  t.test('opens a ticket until it expires, for its client only', async t => {
    const { registry } = await open(t)
    const { secret, ...ticket } = await registry.tickets.create({ clientId: 'web-1', services: ['svc'] }, 'admin')
    const { keyId } = ticket
    t.match(ticket, { keyId: /^tkt_/, subscribe: [], publish: [], services: ['svc'], attributes: {} })
    t.equal(ticket.expiresAt, clock.now() + ticketSeconds.default * 1000)
    t.same(await registry.tickets.get('web-1', keyId), ticket, 'without its secret')
    t.same(await registry.tickets.open('web-1', keyId), { ...ticket, secret, createdBy: 'admin' })
    t.equal(await registry.tickets.open('web-2', keyId), undefined)
    t.match((await registry.credentials('web-1', keyId)).credentials, [{ keyId, secret, usable: true }])
    clock.advance(ticketSeconds.default * 1000)
    t.equal(await registry.tickets.open('web-1', keyId), undefined)
    t.match((await registry.credentials('web-1', keyId)).credentials, [{ usable: false }])
  })

  t.test('revokes a ticket, once or twice', async t => {
    const { registry, store } = await open(t)
    const { keyId, secret } = await registry.tickets.create({ clientId: 'web-1' }, 'admin')
    t.notMatch(await store.tickets.get(keyId), secret, 'the store has no plain secret')
    await registry.tickets.revoke('web-1', keyId, 'admin')
    t.match(await registry.tickets.get('web-1', keyId), { revokedAt: Number }, 'it stays until it ends')
    t.equal(await registry.tickets.open('web-1', keyId), undefined)
    await registry.tickets.revoke('web-1', keyId, 'admin')
    await t.rejects(registry.tickets.revoke('web-2', keyId, 'admin'), { code: 'NOT_FOUND' })
    await t.rejects(registry.tickets.revoke('web-1', 'tkt_none', 'admin'), { code: 'NOT_FOUND' })
  })

  t.test('a suspended client cannot use its tickets', async t => {
    const { registry } = await open(t)
    await registry.clients.create({ clientId: 'web-1' }, 'admin')
    const { keyId } = await registry.tickets.create({ clientId: 'web-1' }, 'admin')
    await registry.clients.update('web-1', { status: 'suspended' }, 'admin')
    t.match((await registry.credentials('web-1', keyId)).credentials, [{ usable: false }])
  })
})
