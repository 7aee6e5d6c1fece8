import type { Test } from 'tap'
import { maxLicenseSlotsPerSession } from '../../src/store/store.js'
import { type TransportHarness, validate } from './harness.js'

/** License validation (PROTOCOL §7.2). */
export function validateSuite(t: Test, harness: TransportHarness): void {
  const { start, startTwo, endsWith, pass } = harness

  t.test('validates a license, binds its hwid and reports why a license is not valid', async t => {
    const gateway = await start(t)
    const expiresAt = '2027-01-01T00:00:00.000Z'
    const made = await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key', expiresAt })
    const wire = await gateway.session(await gateway.createClient())
    const { licenseId } = made.body
    t.match(await wire.ask(validate), {
      ...{ type: 'validation', valid: true, code: 'VALID', serviceId: 'svc', licenseId },
      ...{ expiresAt: Date.parse(expiresAt), maxHwids: 1, boundHwids: 1 }
    })
    const mismatch = await wire.ask({ ...validate, hwid: 'other' })
    t.match(mismatch, { valid: false, code: 'HWID_MISMATCH', boundHwids: 1 })
    t.match(await wire.ask({ ...validate, hwid: undefined }), { valid: false, code: 'HWID_REQUIRED' })
    const unknown = await wire.ask({ ...validate, key: 'other' })
    t.match(unknown, { valid: false, code: 'NOT_FOUND', serviceId: 'svc' })
    t.notOk('licenseId' in unknown)
    await gateway.admin('PATCH', `/licenses/${licenseId}`, { status: 'suspended' })
    t.match(await wire.ask(validate), { valid: false, code: 'SUSPENDED' })
    await gateway.admin('PATCH', `/licenses/${licenseId}`, { status: 'active' })
    await gateway.admin('PUT', `/licenses/${licenseId}/hwids/h`, { banned: true })
    t.match(await wire.ask(validate), { valid: false, code: 'HWID_BANNED' })
  })

  t.test('finds no license of a service outside the permissions', async t => {
    const gateway = await start(t)
    await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
    const ask = async (services: string[]) => {
      const wire = await gateway.session(await gateway.createClient({ services }))
      return (await wire.ask(validate))['code']
    }
    t.equal(await ask(['other', 'sv']), 'NOT_FOUND')
    t.equal(await ask([]), 'NOT_FOUND')
    t.equal(await ask(['sv*']), 'VALID')
    t.equal(await ask(['svc']), 'VALID')
    t.equal(await ask(['*']), 'VALID')
  })

  t.test('maxSessions counts live sessions whose last validate was VALID', async t => {
    const gateway = await start(t)
    const made = await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key', maxHwids: 9 })
    const credential = await gateway.createClient()
    const first = await gateway.session(credential)
    t.match(await first.ask(validate), { code: 'VALID' })
    await gateway.admin('PATCH', `/licenses/${made.body.licenseId}`, { maxSessions: 1 })
    const second = await gateway.session(credential)
    t.match(await second.ask({ ...validate, hwid: 'new' }), { code: 'TOO_MANY_SESSIONS', boundHwids: 1 })
    t.match(await first.ask(validate), { code: 'VALID' }, 'a session with a slot keeps it')
    t.match(await first.ask({ ...validate, hwid: undefined }), { code: 'HWID_REQUIRED' })
    t.match(
      await second.ask(validate),
      { code: 'VALID' },
      'the slot is free: the last validate of its session was not VALID'
    )
    t.match(await first.ask(validate), { code: 'TOO_MANY_SESSIONS' })
    await second.ask({ type: 'bye' })
    await second.closed()
    t.match(await first.ask(validate), { code: 'VALID' }, 'the slot ends with its session')
    await pass(gateway, 45_000)
    await endsWith(t, first, 'HEARTBEAT_LOST')
    const third = await gateway.session(credential)
    t.match(await third.ask(validate), { code: 'VALID' }, 'a session lost by silence frees its slot')
  })

  t.test('bug: the bound of license slots depended on the transport', async t => {
    const gateway = await start(t)
    const { store } = gateway
    await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key', maxSessions: 1 })
    await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'unlimited' })
    const credential = await gateway.createClient()
    const wire = await gateway.session(credential)
    const sessionId = String((await store.sessions.list('', 1))[0]?.sessionId)
    const endsAt = gateway.clock.now() + 60_000
    const acquire = (i: number) => store.licenseSlots.acquire(`l${i}`, sessionId, 1, endsAt, gateway.clock.now())
    const batch = 1000
    for (let i = 0; i < maxLicenseSlotsPerSession; i += batch) {
      await Promise.all(Array.from({ length: batch }, (_, j) => acquire(i + j)))
    }
    t.match(await wire.ask(validate), { type: 'error', code: 'RATE_LIMITED' })
    t.match(await wire.ask({ ...validate, key: 'unlimited' }), { code: 'VALID' })
    const other = await gateway.session(credential)
    t.match(await other.ask(validate), { code: 'VALID' }, 'the slot is free')
  })

  t.test('binds exactly one of eight hwids that race from eight sessions', async t => {
    const { gateway, other } = await startTwo(t)
    await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
    const credential = await gateway.createClient()
    const wires = await Promise.all(
      Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? gateway : other).session(credential))
    )
    const answers = await Promise.all(wires.map((wire, i) => wire.ask({ ...validate, hwid: `hwid-${i}` })))
    t.same(answers.map(({ code }) => code).sort(), [...Array(7).fill('HWID_MISMATCH'), 'VALID'])
  })
}
