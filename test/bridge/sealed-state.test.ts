import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { openRedisStore } from '../../src/store/redis/index.js'
import { connectBridge } from '../helper/bridge-wire.js'
import { createClock } from '../helper/clock.js'
import { startGateway } from '../helper/gateway.js'
import { startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'
import { frame, open, permissions, stuckStore } from './harness.js'

/** A bridge session's state in Redis, against someone who can read and write it but has no master key. */

async function startTwo(t: Test) {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const clock = createClock()
  const gate = { open: () => {}, calls: 0 }
  const [first, second] = [await openRedisStore(server.url), await openRedisStore(server.url)]
  const gateway = await startGateway(t, { store: stuckStore(gate)(first), clock, config: { lingerMs: 0 } })
  const other = await startGateway(t, { store: second, clock, config: { lingerMs: 0 } })
  const redis = new Redis(server.url)
  t.teardown(() => redis.disconnect())
  return { gateway, other, gate, redis }
}

t.test('the fixed part of a session is neither readable nor changeable, and not good for another session', async t => {
  const { gateway, other, redis } = await startTwo(t)
  const plain = await gateway.createClient({ clientId: 'plain' })
  const wire = await open({ gateway }, plain)
  const rich = await open({ gateway }, await gateway.createClient({ ...permissions, clientId: 'rich' }))
  const key = `cs:bridge:{${wire.sessionId}}`
  const info = (await redis.hget(key, 'info')) ?? ''
  t.match(info, /^v2\./)
  t.notMatch(info, /plain/)
  const foreign = (await redis.hget(`cs:bridge:{${rich.sessionId}}`, 'info')) ?? ''
  const changed = info.slice(0, -3) + (info.at(-3) === 'A' ? 'B' : 'A') + info.slice(-2)
  const earlier = JSON.stringify({ clientId: 'rich', keyId: 'k', subscribe: ['*'], sealed: 'v1.x.y' })
  for (const text of [foreign, changed, earlier, '{', '']) {
    await redis.hset(key, 'info', text)
    const answer = await wire.exchange([], { url: other.url })
    t.match({ status: answer.status, frames: answer.frames }, { status: 404, frames: [{ code: 'SESSION_NOT_FOUND' }] })
  }
  await redis.hset(key, 'info', info)
  t.equal((await wire.exchange([], { url: other.url })).status, 200)
})

t.test('a claim holds no license key and no hwid in Redis, and another instance takes it over', async t => {
  const { gateway, other, gate, redis } = await startTwo(t)
  const wire = await open({ gateway })
  const license = await gateway.admin('POST', '/licenses', { serviceId: 'svc' })
  const { key } = license.body
  const held = wire.exchange([
    frame(wire, { type: 'publish', channel: 'stuck', data: 1 }),
    frame(wire, { type: 'validate', serviceId: 'svc', hwid: 'HWID-7421', key })
  ])
  await until('the first message runs', () => gate.calls === 1)
  const claims = JSON.stringify(await redis.hgetall(`cs:bridge:{${wire.sessionId}}`))
  t.match(claims, /"c:2"/)
  t.match(claims, /"c:3"/)
  t.notOk(claims.includes('HWID-7421') || claims.includes(key), 'sealed')
  const answer = await wire.exchange([], { url: other.url, wait: 25 })
  t.match(answer.frames, [
    { type: 'published', re: 2 },
    { type: 'validation', re: 3, code: 'VALID' }
  ])
  gate.open()
  await held
})

t.test('a claim that was changed in Redis is answered UNAVAILABLE with an unknown outcome', async t => {
  const { gateway, other, gate, redis } = await startTwo(t)
  const wire = await connectBridge(gateway.url)
  wire.authenticate(await gateway.createClient(permissions))
  await wire.next('welcome')
  const held = wire.exchange([
    frame(wire, { type: 'publish', channel: 'stuck', data: 1 }),
    frame(wire, { type: 'publish', channel: 'c', data: 1 }),
    frame(wire, { type: 'heartbeat' })
  ])
  await until('the first message runs', () => gate.calls === 1)
  const session = `cs:bridge:{${wire.sessionId}}`
  const [owner = '', sealed = ''] = ((await redis.hget(session, 'c:3')) ?? '').split('\n')
  const [, second = ''] = ((await redis.hget(session, 'c:2')) ?? '').split('\n')
  t.not(second, sealed)
  await redis.hset(session, 'c:3', `${owner}\n${second}`)
  await redis.hset(session, 'c:4', `${owner}\n{"type":"heartbeat","seq":4}`)
  const answer = await wire.exchange([], { url: other.url, wait: 25 })
  t.match(answer.frames, [
    { type: 'published', re: 2 },
    { type: 'error', re: 3, code: 'UNAVAILABLE', outcome: 'unknown' },
    { type: 'error', re: 4, code: 'UNAVAILABLE', outcome: 'unknown' }
  ])
  t.equal((await wire.exchange([], { url: other.url })).status, 200, 'the session goes on')
  gate.open()
  await held
})

t.test('bug: malformed text in place of an open fresh challenge was answered with a 500', async t => {
  const { gateway, other, redis } = await startTwo(t)
  for (const text of ['{', '', 'null', '{"token":"a","expected":"b","endsAt":9e15}']) {
    const wire = await open({ gateway })
    const key = `cs:bridge:{${wire.sessionId}}`
    await redis.hset(key, 'challengeAt', '0', 'challenge', text)
    const { status, frames } = await wire.exchange([], { url: other.url })
    if (text === '') t.match(frames, [{ type: 'challenge' }, { type: 'polled' }], 'no challenge is open')
    else t.match({ status, frames }, { status: 410, frames: [{ code: 'HEARTBEAT_LOST' }] })
  }
})

t.test('an open fresh challenge does not show its response', async t => {
  const { gateway, redis } = await startTwo(t)
  const wire = await open({ gateway })
  const key = `cs:bridge:{${wire.sessionId}}`
  await redis.hset(key, 'challengeAt', '0')
  t.match((await wire.exchange([])).frames, [{ type: 'challenge' }, { type: 'polled' }])
  const stored = await redis.hget(key, 'challenge')
  t.match(stored, /^.{40,}$/)
  t.notMatch(stored, /expected|token/)
})
