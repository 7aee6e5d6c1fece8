import t from 'tap'
import { createHandshakeLimiter, networkOf } from '../../src/auth/handshake-limiter.js'
import { isAllowed } from '../../src/auth/patterns.js'
import { outboxBytes, outboxFrames } from '../../src/protocol/limits.js'
import { createNodeMac } from '../../src/protocol/mac-node.js'
import { maxLicenseSlotsPerSession } from '../../src/session/handlers/validate.js'
import { Session } from '../../src/session/session.js'
import { TokenBucket } from '../../src/session/token-bucket.js'
import type { Transport } from '../../src/session/transport.js'
import {
  createEmbeddedRateLimits,
  createEmbeddedTickets,
  maxRateLimitNames,
  maxLiveTickets
} from '../../src/store/embedded/ephemeral.js'
import { createClock } from '../helper/clock.js'
import { createTestEnvironment } from '../helper/dependencies.js'

/** Parts of a session that no socket can show. */

function stuckTransport(bytes: number, frames: number) {
  const sent: string[] = []
  const closed: [number, string][] = []
  const transport: Transport = {
    name: 'ws',
    bufferedBytes: bytes,
    bufferedFrames: frames,
    send: frame => void sent.push(frame),
    close: (code, reason) => void closed.push([code, reason]),
    pause() {},
    resume() {}
  }
  return { transport, sent, closed }
}

const keys = { clientKey: Buffer.alloc(32, 1), serverKey: Buffer.alloc(32, 2) }

t.test('the outbox is bounded by bytes and by frames; at the bound the peer is told once', async t => {
  const dependencies = await createTestEnvironment(t)
  const peer = {
    ...{ sessionId: 's', clientId: 'c', keyId: 'k', attributes: {}, remoteAddress: '::1' },
    capabilities: { subscribe: [], publish: [], services: ['*'] }
  }
  for (const [bytes, frames, over] of [
    [outboxBytes, outboxFrames, false],
    [outboxBytes + 1, 1, true],
    [1, outboxFrames + 1, true]
  ] as const) {
    const { transport, sent, closed } = stuckTransport(bytes, frames)
    const endings: string[] = []
    const session = new Session(dependencies, transport, { peer, keys, expiresAt: Infinity }, (_, ending) => {
      endings.push(ending)
    })
    session.send({ type: 'heartbeat', serverTime: 1 })
    t.equal(session.ended, over)
    t.same(endings, over ? ['SLOW_CONSUMER'] : [])
    t.same(closed, over ? [[4511, 'SLOW_CONSUMER']] : [])
    t.equal(sent.length, over ? 2 : 1)
    if (over) t.match(JSON.parse(sent[1] ?? ''), { type: 'error', seq: 2, code: 'SLOW_CONSUMER' })
    session.send({ type: 'heartbeat', serverTime: 1 })
    session.end('INTERNAL')
    t.equal(sent.length, over ? 2 : 3, 'nothing after the end')
  }
})

t.test('a handler that fails ends its session with INTERNAL, and nobody else', async t => {
  const dependencies = await createTestEnvironment(t)
  dependencies.registry.licenses.validate = () => Promise.reject(new Error('a bug'))
  const { transport, sent, closed } = stuckTransport(0, 0)
  const peer = {
    ...{ sessionId: 's', clientId: 'c', keyId: 'k', attributes: {}, remoteAddress: '::1' },
    capabilities: { subscribe: [], publish: [], services: ['*'] }
  }
  const session = new Session(dependencies, transport, { peer, keys, expiresAt: Infinity }, () => {})
  const body = '{"type":"validate","seq":2,"serviceId":"s","hwid":"h","key":"k"}'
  const frame = `${body.slice(0, -1)},"signature":"${createNodeMac(keys.clientKey).ofText(body)}"}`
  await session.receive(Buffer.from(frame))
  t.match(JSON.parse(sent[0] ?? ''), { type: 'error', code: 'INTERNAL' })
  t.notMatch(sent[0], /a bug/)
  t.same(closed, [[4500, 'INTERNAL']])
})

t.test('token bucket', async t => {
  const bucket = new TokenBucket(10, 0)
  for (let i = 0; i < 20; i++) t.equal(bucket.take(0), 0)
  t.equal(bucket.take(0), 100)
  t.equal(bucket.take(50), 50)
  t.equal(bucket.take(100), 0)
  t.equal(bucket.take(40), 100, 'a clock that goes back gives nothing')
  t.equal(bucket.take(1e9), 0)
  for (let i = 0; i < 19; i++) t.equal(bucket.take(1e9), 0)
  t.equal(bucket.take(1e9), 100, 'never more than the burst')
  const off = new TokenBucket(0, 0)
  for (let i = 0; i < 1000; i++) off.take(0)
  t.equal(off.take(0), 0)
})

t.test('rates are remembered for so many names; those at rest are forgotten first', async t => {
  const clock = createClock()
  const limits = createEmbeddedRateLimits(clock.now)
  t.equal(await limits.consume('resting', 1, 60), 0)
  clock.advance(1000)
  for (let i = 0; i < maxRateLimitNames - 1; i++) await limits.consume(`n${i}`, 1, 1)
  t.ok((await limits.consume('n0', 1, 1)) > 0)
  t.equal(await limits.consume('one more', 1, 1), 0)
  t.ok((await limits.consume('n0', 1, 1)) > 0, 'who is braked stays so')
  await limits.consume('and another', 1, 1)
  t.equal(await limits.consume('n0', 1, 1), 0, 'until there are too many')
})

t.test('tickets are bounded, and ended ones make room', async t => {
  const clock = createClock()
  const tickets = createEmbeddedTickets(clock.now)
  for (let i = 0; i < maxLiveTickets; i++) await tickets.put(`t${i}`, '', 1000)
  await t.rejects(tickets.put('one more', '', 1000), { name: 'StoreUnavailable' })
  t.equal(await tickets.get('t0'), '')
  clock.advance(1000)
  await tickets.put('one more', 'text', 1000)
  t.equal(await tickets.get('one more'), 'text')
})

t.test('the brake: failures against a client under attack cost more, and hit nobody else', async t => {
  const clock = createClock()
  const brake = createHandshakeLimiter(createEmbeddedRateLimits(clock.now), 20, (await createTestEnvironment(t)).log)
  const settle = () => new Promise(resolve => setImmediate(resolve))
  for (let i = 0; i < 100; i++) brake.failed(`stranger ${i}`, 'victim')
  await settle()
  for (let i = 0; i < 4; i++) brake.failed('attacker', 'victim')
  for (let i = 0; i < 4; i++) brake.failed('clumsy', 'other')
  await settle()
  t.ok((await brake.retryAfterMs('attacker')) > 0)
  t.equal(await brake.retryAfterMs('clumsy'), 0)
  t.equal(await brake.retryAfterMs('honest'), 0)
})

t.test('an IPv6 address stands for its /64, an IPv4 address for itself', async t => {
  t.equal(networkOf('203.0.113.7'), '203.0.113.7')
  t.equal(networkOf('::ffff:203.0.113.7'), '203.0.113.7')
  t.equal(networkOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64')
  t.equal(networkOf('2001:0DB8:0001:0002::9'), '2001:db8:1:2::/64')
  t.equal(networkOf('2001:db8::1'), '2001:db8:0:0::/64')
  t.equal(networkOf('::1'), '0:0:0:0::/64')
  t.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0::/64')
})

t.test('patterns: literal, then at most one final *', async t => {
  t.equal(isAllowed(['a', 'b*'], 'a'), true)
  t.equal(isAllowed(['a', 'b*'], 'ab'), false)
  t.equal(isAllowed(['a', 'b*'], 'b'), true)
  t.equal(isAllowed(['a', 'b*'], 'b.c'), true)
  t.equal(isAllowed(['*'], 'anything'), true)
  t.equal(isAllowed(['a.b'], 'axb'), false)
  t.equal(isAllowed([], 'a'), false)
})

t.test('one session sits on so many licenses; beyond that only unbounded ones are judged', async t => {
  const { validate } = await import('../../src/session/handlers/validate.js')
  const dependencies = await createTestEnvironment(t)
  await dependencies.registry.licenses.create({ serviceId: 's', key: 'free' }, 'admin')
  await dependencies.registry.licenses.create({ serviceId: 's', key: 'counted', maxSessions: 5 }, 'admin')
  const context = {
    dependencies,
    peer: {
      ...{ sessionId: 's', clientId: 'c', keyId: 'k', attributes: {}, remoteAddress: '::1' },
      capabilities: { subscribe: [], publish: [], services: ['*'] }
    },
    expiresAt: Infinity,
    licenseSlots: new Set(Array.from({ length: maxLicenseSlotsPerSession }, (_, i) => `lic_${i}`)),
    freshChallenge: { settle: () => false },
    hasEnded: () => false,
    subscriptions: { count: 0, has: () => false, join: () => Promise.reject(new Error()), leave() {} },
    mayRunAgain: false
  }
  const ask = async (key: string) => validate(context, { type: 'validate', seq: 2, serviceId: 's', hwid: 'h', key })
  t.match(await ask('free'), { code: 'VALID' })
  await t.rejects(ask('counted'), { code: 'RATE_LIMITED' })
})
