import type { Test } from 'tap'
import { type TransportHarness, validate } from './harness.js'

/** The order of answers, the end by bye, and rate limits (PROTOCOL §5.1, §7.1, §11). */
export function orderSuite(t: Test, harness: TransportHarness): void {
  const { onSocket, start, ended, refusedUnsigned } = harness

  t.test('answers frames that arrive together in their order', async t => {
    const gateway = await start(t)
    await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
    const wire = await gateway.session(await gateway.createClient())
    const sent = Array.from({ length: 300 }, (_, i) => wire.send(i % 3 === 0 ? { type: 'heartbeat' } : validate))
    const answered: unknown[] = []
    for (const _ of sent) answered.push((await wire.next())['re'])
    t.same(answered, sent)
  })

  t.test('answers bye, then ends the session', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient())
    t.match(await wire.ask({ type: 'bye' }), { type: 'ack' })
    await ended(t, wire, 'bye')
    t.equal(gateway.app.sessionCount(), 0)
    t.equal(await gateway.store.sessions.count(), 0)
  })

  onSocket('refuses too many frames with a signed error and the time to wait, and keeps the session', async t => {
    const gateway = await start(t, { config: { rateLimit: true, framesPerSecond: 5 } })
    const wire = await gateway.session(await gateway.createClient())
    for (let i = 0; i < 10; i++) t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'error', code: 'RATE_LIMITED', retryAfterMs: 200 })
    gateway.clock.advance(200)
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
  })

  t.test('limits the sessions of one client', async t => {
    const gateway = await start(t, { config: { rateLimit: true, maxSessionsPerClient: 2 } })
    const credential = await gateway.createClient()
    const first = await gateway.session(credential)
    await gateway.session(credential)
    const third = await gateway.wire()
    third.authenticate(credential)
    await refusedUnsigned(t, third, 'RATE_LIMITED')
    await first.ask({ type: 'bye' })
    await first.closed()
    t.ok(await gateway.session(credential))
  })
}
