import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { openEmbeddedDurable } from '../../src/store/embedded/durable.js'
import { maxUsedChallenges } from '../../src/store/embedded/ephemeral.js'
import { openEmbeddedStore } from '../../src/store/embedded/index.js'
import { RedisClient } from '../../src/store/redis/client.js'
import { createRedisDurable } from '../../src/store/redis/durable.js'
import { openRedisStore } from '../../src/store/redis/index.js'
import { createKeys } from '../../src/store/redis/keys.js'
import { collectPages } from '../../src/store/redis/pages.js'
import { RedisPin } from '../../src/store/redis/pin.js'
import { DataDirInUse, identityKey, StoreUnavailable } from '../../src/store/store.js'
import { startRedis } from '../helper/redis-server.js'
import { redisUrl, stores } from '../helper/stores.js'
import { until } from '../helper/until.js'
import { durableSuite } from './durable.suite.js'
import { ephemeralSuite } from './ephemeral.suite.js'
import { sessionsSuite } from './sessions.suite.js'

for (const [kind, open] of Object.entries(stores))
  t.test(kind, t => {
    durableSuite(t, open)
    ephemeralSuite(t, open)
    sessionsSuite(t, open)
    t.end()
  })

t.test('embedded: keeps committed changes over a restart', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-restart-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const first = openEmbeddedStore(dir, Date.now)
  const audit = () => ({ hash: 'h', text: 'entry' })
  await first.durable.commit({
    writes: [{ key: 'client:a', expect: 0, text: 'a' }],
    audit,
    event: { kind: 'client', id: 'a' }
  })
  await first.close()
  const second = openEmbeddedStore(dir, Date.now)
  t.match(await second.durable.get('client:a'), { text: 'a', version: 1 })
  t.same(await second.durable.auditHead(), { seq: 1, hash: 'h' })
  t.same(await second.durable.changesAfter(0, 9), [{ event: { kind: 'client', id: 'a' }, seq: 1 }])
  await second.close()
})

t.test('embedded: refuses a second process on the same folder until the first is killed', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-lock-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const other = fork(new URL('../helper/hold-data-dir.mjs', import.meta.url), [dir], { execArgv: [] })
  await once(other, 'message')
  t.throws(() => openEmbeddedStore(dir, Date.now), DataDirInUse)
  other.kill('SIGKILL')
  await once(other, 'exit')
  const store = openEmbeddedStore(dir, Date.now)
  t.pass('the lock ended with its process')
  await store.close()
})

t.test('embedded: bounds marks of used challenges without dropping older ones', async t => {
  let time = 0
  const { store } = await stores.embedded(t, () => time)
  const fence = await store.challenges.fence()
  for (let i = 0; i < maxUsedChallenges; i++) await store.challenges.use(`t${i}`, fence, 60_000)
  await t.rejects(store.challenges.use('one more', fence, 60_000), StoreUnavailable)
  t.equal(await store.challenges.use('t0', fence, 60_000), false)
  time = 60_000
  t.equal(await store.challenges.use('later', fence, 60_000), true)
})

t.test('drops the oldest change events above the bound', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-events-'))
  const redis = new RedisClient(redisUrl(), () => {})
  await redis.ready(5000)
  const embedded = openEmbeddedDurable(join(dir, 'events.mdb'), { maxEvents: 3 })
  t.teardown(async () => {
    redis.disconnect()
    await embedded.close()
    rmSync(dir, { recursive: true, force: true })
  })
  const keys = createKeys(`events-${process.pid}`)
  for (const records of [
    embedded,
    createRedisDurable(redis, keys, new RedisPin(redis, keys.record(identityKey)), () => () => {}, 3)
  ]) {
    const audit = ({ seq }: { seq: number }) => ({ hash: `${seq}`, text: 'e' })
    for (const name of 'abacd') await records.commit({ writes: [], audit, event: { kind: 'client', id: name } })
    t.same(await records.changesAfter(0, 9), [
      { event: { kind: 'client', id: 'a' }, seq: 3 },
      { event: { kind: 'client', id: 'c' }, seq: 4 },
      { event: { kind: 'client', id: 'd' }, seq: 5 }
    ])
  }
})

t.test('bug: a record that was removed during a list does not shorten its page', async t => {
  const ids = [...'abcde']
  const read = async (after: string, count: number) => {
    const page = ids.filter(id => id > after).slice(0, count)
    return { ids: page, found: page.filter(id => id !== 'b') }
  }
  t.same(await collectPages('', 3, read), ['a', 'c', 'd'])
})

t.test('a listed but missing record is on its page, as lost', async t => {
  const prefix = `vanish-${process.pid}`
  const store = await openRedisStore(redisUrl(), { prefix })
  t.teardown(() => store.close())
  const audit = ({ seq }: { seq: number }) => ({ hash: `${seq}`, text: 'e' })
  for (const id of 'abc') {
    await store.durable.commit({ writes: [{ key: `client:${id}`, expect: 0, text: id }], audit })
  }
  const { Redis } = await import('ioredis')
  const admin = new Redis(redisUrl())
  await admin.del(`${prefix}:{records}:client:b`)
  admin.disconnect()
  const listed = await store.durable.list('client', '', 3)
  t.match(listed, [{ text: 'a' }, { key: 'client:b', text: '', isLost: true }, { text: 'c' }])
  t.notOk(listed[0]?.isLost)
})

t.test('bug: rejects changes that wait for a silent server together', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await openRedisStore(server.url)
  t.teardown(() => store.close())
  const audit = () => ({ hash: 'h', text: 'e' })
  process.kill(server.pid, 'SIGSTOP')
  const began = performance.now()
  const many = Array.from({ length: 8 }, () => store.durable.commit({ writes: [], audit }))
  for (const result of await Promise.allSettled(many)) t.equal(result.status, 'rejected')
  const all = performance.now() - began
  const beganOne = performance.now()
  await t.rejects(store.durable.get('client:a'), StoreUnavailable)
  t.ok(all < 4 * (performance.now() - beganOne), 'together they take no longer than a few')
  process.kill(server.pid, 'SIGCONT')
})

t.test('redis: rejects calls without a server, recovers with it, and runs nothing twice', async t => {
  const server = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''])
  t.teardown(() => server.stop())
  const store = await openRedisStore(server.url)
  t.teardown(() => store.close())
  const audit = (head: { seq: number }) => ({ hash: `h${head.seq + 1}`, text: 'e' })
  await store.durable.commit({ writes: [{ key: 'client:a', expect: 0, text: 'a' }], audit })
  const fence = await store.challenges.fence()

  await server.kill()
  await until('the connection is gone', () =>
    store.ping().then(
      () => false,
      error => error.cause.message === 'no connection'
    )
  )
  await t.rejects(store.challenges.use('token', fence, 60_000), StoreUnavailable)
  await t.rejects(store.durable.get('client:a'), StoreUnavailable)
  await t.rejects(store.durable.commit({ writes: [], audit }), StoreUnavailable)

  await server.start()
  await until('the store answers', () =>
    store.ping().then(
      () => true,
      () => false
    )
  )
  t.equal((await store.durable.get('client:a'))?.text, 'a', 'acknowledged and kept')
  t.equal(await store.challenges.use('token', fence, 60_000), false, 'issued before the restart (PROTOCOL §10.5)')
  t.equal(await store.durable.commit({ writes: [], audit }), 2, 'the rejected change had not run')
})

t.test('redis: a silent server blocks no caller', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await openRedisStore(server.url)
  t.teardown(() => store.close())
  process.kill(server.pid, 'SIGSTOP')
  // Both reject while the server is silent: readiness within a second, a request within five.
  const order: string[] = []
  await Promise.all([
    t.rejects(store.challenges.fence(), StoreUnavailable).then(() => order.push('request')),
    t.rejects(store.ping(), StoreUnavailable).then(() => order.push('ping'))
  ])
  t.same(order, ['ping', 'request'], 'a ping rejects first')
  await t.rejects(store.challenges.fence(), StoreUnavailable)
  process.kill(server.pid, 'SIGCONT')
})

t.test('redis: sends scripts again after the server dropped them', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await openRedisStore(server.url)
  t.teardown(() => store.close())
  const audit = () => ({ hash: 'h', text: 'e' })
  t.equal(await store.durable.commit({ writes: [], audit }), 1)
  const { Redis } = await import('ioredis')
  const admin = new Redis(server.url)
  await admin.script('FLUSH')
  admin.disconnect()
  t.equal(await store.durable.commit({ writes: [], audit }), 2)
})

t.test('redis: fails to start without Redis', async t => {
  await t.rejects(openRedisStore('redis://127.0.0.1:1', { connectWithinMs: 50 }), StoreUnavailable)
})
