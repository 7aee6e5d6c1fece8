import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { openRedisStore } from '../../src/store/redis/index.js'
import type { Store } from '../../src/store/store.js'
import { type RedisServer, startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'

/** A Redis that comes back as it was before: nothing that was spent is good again, no offset means two things. */

async function admin(t: Test, server: RedisServer): Promise<Redis> {
  const redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  redis.on('error', () => {})
  t.teardown(() => redis.disconnect())
  return redis
}

/** Kills the server and starts it from its last snapshot. */
async function rewind(server: RedisServer, ...stores: readonly Store[]): Promise<void> {
  await server.kill()
  await server.start()
  for (const store of stores) await answers(store)
}

function answers(store: Store): Promise<void> {
  return until('the store answers', () =>
    store.ping().then(
      () => true,
      () => false
    )
  )
}

async function open(t: Test, url: string): Promise<Store> {
  const store = await openRedisStore(url)
  t.teardown(() => store.close())
  return store
}

/** A server where INFO is hidden from the user of the URL. */
async function startWithoutInfo(t: Test): Promise<{ server: RedisServer; url: string; root: Redis }> {
  const server = await startRedis(['--save', ''], dir => {
    const path = join(dir, 'redis.conf')
    writeFileSync(path, 'user gateway on >secret ~* &* +@all -info\n')
    return path
  })
  t.teardown(() => server.stop())
  const url = server.url.replace('//', '//gateway:secret@')
  return { server, root: await admin(t, server), url }
}

t.test('a challenge from before a rewind is refused, taken or not', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await open(t, server.url)
  const root = await admin(t, server)
  await store.challenges.put('taken', 'b', 60_000)
  await store.challenges.put('open', 'b', 60_000)
  await root.save()
  t.equal(await store.challenges.take('taken'), 'b')
  await rewind(server, store)
  t.equal(await root.exists('cs:challenge:taken'), 1, 'it is back')
  t.equal(await store.challenges.take('taken'), undefined)
  t.equal(await store.challenges.take('open'), undefined)
  await store.challenges.put('later', 'b', 60_000)
  t.equal(await store.challenges.take('later'), 'b')
})

t.test('a challenge from before a promotion is refused', async t => {
  const primary = await startRedis()
  const replica = await startRedis(['--save', '', '--replicaof', '127.0.0.1', new URL(primary.url).port])
  t.teardown(() => Promise.all([primary.stop(), replica.stop()]))
  const root = await admin(t, replica)
  const store = await open(t, primary.url)
  await until('the replica follows', async () => (await root.info('replication')).includes('master_link_status:up'))
  await store.challenges.put('token', 'b', 60_000)
  await until('it has come over', async () => (await root.exists('cs:challenge:token')) === 1)
  await root.call('REPLICAOF', 'NO', 'ONE')
  const promoted = await open(t, replica.url)
  t.equal(await promoted.challenges.take('token'), undefined)
})

t.test('INFO hidden: challenges hold while connections do, on every instance, and not over a rewind', async t => {
  const { server, url, root } = await startWithoutInfo(t)
  const store = await open(t, url)
  const another = await open(t, url)
  await store.challenges.put('a', 'b', 60_000)
  t.equal(await another.challenges.take('a'), 'b')
  await store.challenges.put('taken', 'b', 60_000)
  await root.save()
  t.equal(await store.challenges.take('taken'), 'b')
  await rewind(server, store, another)
  t.equal(await root.exists('cs:challenge:taken'), 1, 'it is back')
  t.equal(await store.challenges.take('taken'), undefined)
  await store.challenges.put('later', 'b', 60_000)
  t.equal(await another.challenges.take('later'), 'b')
})
