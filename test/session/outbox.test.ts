import t from 'tap'
import { outboxBytes, outboxFrames } from '../../src/protocol/limits.js'
import { createNodeMac } from '../../src/protocol/mac-node.js'
import { createBrake, maxAddresses } from '../../src/session/brake.js'
import { maxSeatsPerSession } from '../../src/session/handlers/validate.js'
import { isAllowed } from '../../src/session/peer.js'
import { TokenBucket } from '../../src/session/rate.js'
import { Session } from '../../src/session/session.js'
import type { Transport } from '../../src/session/transport.js'
import { createClock } from '../helper/clock.js'
import { createTestEnvironment } from '../helper/environment.js'

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
  const environment = await createTestEnvironment(t)
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
    const session = new Session(environment, transport, { peer, keys, expiresAt: Infinity }, (_, ending) => {
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
  const environment = await createTestEnvironment(t)
  const licenses = { ...environment.registry.licenses, validate: () => Promise.reject(new Error('a bug')) }
  const broken = { ...environment, registry: { ...environment.registry, licenses } }
  const { transport, sent, closed } = stuckTransport(0, 0)
  const peer = {
    ...{ sessionId: 's', clientId: 'c', keyId: 'k', attributes: {}, remoteAddress: '::1' },
    capabilities: { subscribe: [], publish: [], services: ['*'] }
  }
  const session = new Session(broken, transport, { peer, keys, expiresAt: Infinity }, () => {})
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

t.test('the brake remembers only so many addresses', async t => {
  const clock = createClock()
  const brake = createBrake(1, clock.now)
  brake.failed('first')
  t.equal(brake.retryAfterMs('first'), 60_000)
  for (let i = 0; i < maxAddresses - 1; i++) brake.failed(`a${i}`)
  t.equal(brake.retryAfterMs('first'), 60_000)
  brake.failed('one more')
  t.equal(brake.retryAfterMs('first'), 0)
  t.equal(brake.retryAfterMs('one more'), 60_000)
  clock.advance(60_000)
  t.equal(brake.retryAfterMs('one more'), 0)
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
  const environment = await createTestEnvironment(t)
  await environment.registry.licenses.create({ serviceId: 's', key: 'free' }, 'admin')
  await environment.registry.licenses.create({ serviceId: 's', key: 'counted', maxSessions: 5 }, 'admin')
  const context = {
    environment,
    peer: {
      ...{ sessionId: 's', clientId: 'c', keyId: 'k', attributes: {}, remoteAddress: '::1' },
      capabilities: { subscribe: [], publish: [], services: ['*'] }
    },
    expiresAt: Infinity,
    seats: new Set(Array.from({ length: maxSeatsPerSession }, (_, i) => `lic_${i}`)),
    freshChallenge: { settle: () => false }
  }
  const ask = async (key: string) => validate(context, { type: 'validate', seq: 2, serviceId: 's', hwid: 'h', key })
  t.match(await ask('free'), { code: 'VALID' })
  await t.rejects(ask('counted'), { code: 'RATE_LIMITED' })
})
