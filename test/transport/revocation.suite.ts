import type { Test } from 'tap'
import type { codes } from '../../src/protocol/codes.js'
import type { Store } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import { putPlain } from '../registry/earlier-version.js'
import { type TransportHarness, validate } from './harness.js'

/** Sessions that end because their permission did, or their instance (PROTOCOL §3, §5.4). */
export function revocationSuite(t: Test, harness: TransportHarness): void {
  const { onSocket, openStore, startGateway, startTwo, endsWith, pass } = harness

  t.test('ends live sessions on every instance at once when a key or a permission is withdrawn', async t => {
    const { gateway, other } = await startTwo(t)
    const cases: [string, keyof typeof codes, (c: { clientId: string; keyId: string }) => Promise<unknown>][] = [
      ['key', 'SESSION_REVOKED', c => gateway.admin('DELETE', `/clients/${c.clientId}/keys/${c.keyId}`)],
      ['client', 'SESSION_REVOKED', c => gateway.admin('DELETE', `/clients/${c.clientId}`)],
      [
        'client that does not open',
        'SESSION_REVOKED',
        async c => {
          await putPlain(gateway.store, `client:${c.clientId}`, 'damaged')
          await gateway.admin('DELETE', `/clients/${c.clientId}`)
        }
      ],
      ['suspended', 'SESSION_REVOKED', c => gateway.admin('PATCH', `/clients/${c.clientId}`, { status: 'suspended' })],
      ['permissions', 'SESSION_EXPIRED', c => gateway.admin('PATCH', `/clients/${c.clientId}`, { services: ['x'] })],
      ['overlap 0', 'SESSION_EXPIRED', c => gateway.admin('POST', `/clients/${c.clientId}/keys`, { overlap: 0 })]
    ]
    for (const [name, code, act] of cases) {
      await t.test(name, async t => {
        const credential = await gateway.createClient()
        const bystander = await other.session(await gateway.createClient())
        const here = await gateway.session(credential)
        const there = await other.session(credential)
        await act(credential)
        await endsWith(t, here, code)
        await endsWith(t, there, code)
        t.match(await bystander.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
      })
    }
    await t.test('one session, by an operator', async t => {
      const credential = await gateway.createClient()
      const wire = await other.session(credential)
      const spared = await other.session(credential)
      const { body } = await gateway.admin('GET', `/sessions?clientId=${credential.clientId}`)
      t.equal(body.items.length, 2)
      // Session ids are random, so the order of the list is too: both are ended.
      for (const { sessionId } of body.items) {
        t.equal((await gateway.admin('DELETE', `/sessions/${sessionId}`)).status, 204)
      }
      await endsWith(t, wire, 'SESSION_REVOKED')
      await endsWith(t, spared, 'SESSION_REVOKED')
      t.equal((await gateway.admin('DELETE', `/sessions/${'x'.repeat(32)}`)).status, 404)
    })
    await t.test('keeps sessions whose permissions did not change', async t => {
      const credential = await gateway.createClient()
      const wire = await gateway.session(credential)
      await gateway.admin('PATCH', `/clients/${credential.clientId}`, { attributes: { a: 'b' } })
      await gateway.app.tick()
      t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
    })
  })

  t.test('ends a revoked session at the next tick when the notification was lost', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const notNotified: Store = { ...store, durable: { ...store.durable, onChange: () => () => {} } }
    const gateway = await startGateway(t, { store: notNotified, clock })
    const credential = await gateway.createClient()
    const wire = await gateway.session(credential)
    await gateway.admin('DELETE', `/clients/${credential.clientId}/keys/${credential.keyId}`)
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'the notification was lost')
    await gateway.app.tick()
    await endsWith(t, wire, 'SESSION_REVOKED')
  })

  t.test('bug: finds a revocation that a rewound store hides', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const rewound = { now: false }
    const durable: Store['durable'] = {
      ...store.durable,
      onChange: () => () => {},
      // After the rewind the audit log differs, and the change has a number that was seen before.
      auditAfter: (...all) => (rewound.now ? Promise.resolve([]) : store.durable.auditAfter(...all)),
      changesAfter: (...all) => (rewound.now ? Promise.resolve([]) : store.durable.changesAfter(...all))
    }
    const gateway = await startGateway(t, { store: { ...store, durable }, clock })
    const credential = await gateway.createClient()
    const wire = await gateway.session(credential)
    const bystander = await gateway.session(await gateway.createClient())
    await gateway.app.tick()
    rewound.now = true
    await gateway.admin('DELETE', `/clients/${credential.clientId}/keys/${credential.keyId}`)
    await gateway.app.tick()
    await endsWith(t, wire, 'SESSION_REVOKED')
    t.match(await bystander.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
  })

  onSocket('bug: lists a session again that a rewound store had lost', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const rewound = { now: false }
    const durable: Store['durable'] = {
      ...store.durable,
      auditAfter: (...all) => (rewound.now ? Promise.resolve([]) : store.durable.auditAfter(...all))
    }
    const gateway = await startGateway(t, { store: { ...store, durable }, clock })
    const wire = await gateway.session(await gateway.createClient())
    await gateway.app.tick()
    const [entry] = await store.sessions.list('', 1)
    await store.sessions.end(String(entry?.sessionId))
    rewound.now = true
    await gateway.app.tick()
    await gateway.app.tick()
    t.match(await store.sessions.list('', 9), [{ sessionId: entry?.sessionId }])
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
  })

  t.test('ends the sessions of a dead instance and frees their slots', async t => {
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    const gateway = await startGateway(t, { store, clock })
    await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key', maxSessions: 1, maxHwids: 2 })
    const ghost = {
      ...{ sessionId: 'g'.repeat(32), clientId: 'c', keyId: 'k', instanceId: 'gone', transport: 'ws' as const },
      ...{ openedAt: clock.now(), expiresAt: clock.now() + 1e9, deadline: clock.now() + 55_000 },
      ...{ remoteAddress: '127.0.0.1', attributes: {} }
    }
    const elsewhere = await another()
    const { body } = await gateway.admin('GET', '/licenses')
    await elsewhere.sessions.open(ghost, 9)
    await elsewhere.licenseSlots.acquire(body.items[0].licenseId, ghost.sessionId, 1, ghost.expiresAt, clock.now())
    const wire = await gateway.session(await gateway.createClient())
    t.match(await wire.ask(validate), { code: 'TOO_MANY_SESSIONS' })
    await pass(gateway, 40_000)
    await wire.ask({ type: 'heartbeat' })
    await pass(gateway, 15_000)
    t.equal(await elsewhere.sessions.get(ghost.sessionId), undefined)
    t.match(await wire.ask(validate), { code: 'VALID' }, 'its slot is free')
  })
}
