import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import t from 'tap'
import { maxUsedChallenges } from '../../src/store/embedded/ephemeral.js'
import { RedisClient } from '../../src/store/redis/client.js'
import { openRedisStore } from '../../src/store/redis/index.js'
import { outcomeOf } from '../../src/store/redis/outcome.js'
import { startRedis } from '../helper/redis-server.js'
import { stores } from '../helper/stores.js'
import { until } from '../helper/until.js'

/** StoreUnavailable states whether the call took effect. */

const unsent = { name: 'StoreUnavailable', outcome: 'unsent' }
const unknown = { name: 'StoreUnavailable', outcome: 'unknown' }

t.test('redis: a command without a connection is unsent', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const redis = new RedisClient(server.url, () => {})
  t.teardown(() => redis.disconnect())
  await redis.ready(5000)
  await server.kill()
  await until('the connection is gone', () =>
    redis.command('GET', 'key').then(
      () => false,
      error => error.cause.message === 'no connection'
    )
  )
  await t.rejects(redis.command('INCR', 'counter'), unsent)
  await t.rejects(redis.script('quotaAdd', ['key'], [1000, 0, 'field', 1]), unsent)
  redis.disconnect()
  await t.rejects(redis.command('INCR', 'counter'), unsent, 'after the client was closed')
})

t.test('redis: a command that times out has an unknown outcome', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await openRedisStore(server.url)
  t.teardown(() => store.close())
  process.kill(server.pid, 'SIGSTOP')
  await Promise.all([t.rejects(store.challenges.fence(), unknown), t.rejects(store.ping(), unknown)])
  process.kill(server.pid, 'SIGCONT')
})

t.test('redis: a command whose connection breaks after it was written has an unknown outcome', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const broken = { now: false }
  const proxy = createServer(client => {
    const upstream = connect(Number(new URL(server.url).port), '127.0.0.1')
    client.on('data', data => upstream.write(data))
    upstream.on('data', data => (broken.now ? client.destroy() : client.write(data)))
    for (const socket of [client, upstream]) socket.on('error', () => {})
    client.on('close', () => upstream.destroy())
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => proxy.close())
  const address = proxy.address()
  const port = address === null || typeof address === 'string' ? 0 : address.port
  const redis = new RedisClient(`redis://127.0.0.1:${port}`, () => {})
  t.teardown(() => redis.disconnect())
  await redis.ready(5000)
  broken.now = true
  await t.rejects(redis.command('INCR', 'counter'), unknown)
  const direct = new RedisClient(server.url, () => {})
  t.teardown(() => direct.disconnect())
  await direct.ready(5000)
  t.equal(await direct.command('GET', 'counter'), '1', 'it ran')
})

t.test('redis: a command that the server refuses for want of memory is unsent', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const redis = new RedisClient(server.url, () => {})
  t.teardown(() => redis.disconnect())
  await redis.ready(5000)
  await redis.command('CONFIG', 'SET', 'maxmemory', 1)
  await t.rejects(redis.command('INCR', 'counter'), unsent)
  await t.rejects(redis.script('quotaAdd', ['key'], [1000, 0, 'field', 1]), unsent)
  t.equal(await redis.command('EXISTS', 'counter', 'key'), 0)
})

t.test('redis: a start without Redis is unsent', async t => {
  await t.rejects(openRedisStore('redis://127.0.0.1:1', { connectWithinMs: 50 }), unsent)
})

t.test('redis: an error of any other kind has an unknown outcome', t => {
  t.equal(outcomeOf(new Error('ERR unknown command'), 'ready', false), 'unknown')
  t.equal(outcomeOf(new Error('Command timed out'), 'ready', false), 'unknown')
  t.equal(outcomeOf(new Error('Connection is closed.'), 'ready', false), 'unknown')
  t.equal(outcomeOf('not an error', 'ready', false), 'unknown')
  t.equal(outcomeOf(new Error('Command timed out'), 'connecting', true), 'unknown', 'a Cluster may still send it')
  t.equal(outcomeOf(new Error('None of startup nodes is available'), 'reconnecting', true), 'unsent')
  t.end()
})

t.test('embedded: a call above a bound is unsent', async t => {
  const { store } = await stores.embedded(t, () => 0)
  const fence = await store.challenges.fence()
  for (let i = 0; i < maxUsedChallenges; i++) await store.challenges.use(`t${i}`, fence, 60_000)
  await t.rejects(store.challenges.use('one more', fence, 60_000), unsent)
})

t.test('embedded: a failed transaction has an unknown outcome', async t => {
  const { store } = await stores.embedded(t, () => 0)
  const audit = () => {
    throw new Error('the disk is full')
  }
  await t.rejects(store.durable.commit({ writes: [], audit }), unknown)
})
