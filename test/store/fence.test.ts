import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { Position } from '../../src/store/channels.js'
import { openRedisStore } from '../../src/store/redis/index.js'
import { type Store, StoreUnavailable } from '../../src/store/store.js'
import { type RedisServer, startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'
import { publish } from './channel-helpers.js'

/** A Redis that returns to an earlier state: nothing consumed becomes valid again, and no offset has two meanings. */

const primaryOptions = ['--save', '', '--repl-diskless-sync-delay', '0']

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

/** A server that hides INFO from the user of the URL. */
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

/** Issues no challenge: uses one that was issued under this fence. */
const use = (store: Store, token: string, fence: string) => store.challenges.use(token, fence, 60_000)

t.test('refuses challenges from before a rewind, used or not', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await open(t, server.url)
  const root = await admin(t, server)
  const before = await store.challenges.fence()
  await root.save()
  t.equal(await use(store, 'used', before), true)
  await rewind(server, store)
  t.equal(await root.exists('cs:{challenges}:used'), 0, 'its mark is lost')
  t.equal(await use(store, 'used', before), false)
  t.equal(await use(store, 'open', before), false)
  const after = await store.challenges.fence()
  t.not(after, before)
  t.equal(await use(store, 'later', after), true)
})

t.test('refuses a challenge from before Redis was emptied', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await open(t, server.url)
  const root = await admin(t, server)
  const before = await store.challenges.fence()
  t.equal(await use(store, 'used', before), true)
  await root.flushall()
  t.equal(await use(store, 'used', before), false)
  t.not(await store.challenges.fence(), before)
  t.equal(await use(store, 'used', before), false)
})

t.test('refuses a challenge from before a promotion', async t => {
  const primary = await startRedis(primaryOptions)
  const replica = await startRedis(['--save', '', '--replicaof', '127.0.0.1', new URL(primary.url).port])
  t.teardown(() => Promise.all([primary.stop(), replica.stop()]))
  const root = await admin(t, replica)
  const store = await open(t, primary.url)
  await until('the replica follows', async () => (await root.info('replication')).includes('master_link_status:up'))
  const before = await store.challenges.fence()
  await until('it was replicated', async () => (await root.exists('cs:{challenges}@fence')) === 1)
  await root.call('REPLICAOF', 'NO', 'ONE')
  const promoted = await open(t, replica.url)
  t.equal(await use(promoted, 'token', before), false)
})

t.test('INFO hidden: keeps challenges while connections last, but not over a rewind', async t => {
  const { server, url, root } = await startWithoutInfo(t)
  const store = await open(t, url)
  const another = await open(t, url)
  const before = await another.challenges.fence()
  t.equal(await use(another, 'a', await store.challenges.fence()), true)
  await root.save()
  t.equal(await use(store, 'used', before), true)
  await rewind(server, store, another)
  t.equal(await use(store, 'used', before), false)
  t.equal(await use(another, 'later', await store.challenges.fence()), true)
})

/** @returns the last position */
async function publishMany(store: Store, channel: string, from: number, to: number): Promise<Position> {
  let last: Position = { offset: 0, epoch: '' }
  for (let i = from; i <= to; i++) last = await publish(store.channels, channel, `${i}`)
  return last
}

/** Asserts that a reader at `old` sees a break for every offset, and can continue from the new top. */
async function isBroken(t: Test, store: Store, channel: string, old: Position): Promise<void> {
  for (let offset = 0; offset <= old.offset; offset++) {
    const { top, publications } = await store.channels.read(channel, { offset, epoch: old.epoch }, 100)
    t.equal(publications, undefined, `nothing after ${offset}`)
    t.not(top.epoch, old.epoch, 'another epoch')
  }
  const { top } = await store.channels.read(channel, undefined, 0)
  const next = await publish(store.channels, channel, 'next')
  t.same(next, { offset: top.offset + 1, epoch: top.epoch, duplicate: false }, 'the offset goes on')
  t.match(await store.channels.read(channel, top, 100), { publications: [{ offset: next.offset, data: 'next' }] })
}

t.test('channels after a rewind: new epoch, no publications, offsets continue', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await open(t, server.url)
  const another = await open(t, server.url)
  const root = await admin(t, server)
  const read = await publishMany(store, 'read', 1, 5)
  const published = await publishMany(store, 'published', 1, 5)
  const topped = await publishMany(store, 'topped', 1, 5)
  await root.save()
  for (const name of ['read', 'published', 'topped']) await publishMany(store, name, 6, 10)
  await rewind(server, store, another)

  const [top] = await store.channels.tops(['topped'])
  t.equal(top?.offset, 5)
  await isBroken(t, store, 'topped', { ...topped, offset: 10 })
  await isBroken(t, another, 'read', { ...read, offset: 10 })
  // This channel is first used when offsets 6 to 10 are assigned a second time.
  const again = await publishMany(another, 'published', 6, 11)
  t.equal(again.offset, 11)
  t.not(again.epoch, published.epoch)
  await isBroken(t, store, 'published', { ...published, offset: 10 })
  const since = await store.channels.read('published', { offset: 8, epoch: again.epoch }, 100)
  t.match(since, { publications: [{ data: '9' }, { data: '10' }, { data: '11' }, { data: 'next' }] })
})

t.test('channels after a restart without loss: also a break', async t => {
  const server = await startRedis(['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'])
  t.teardown(() => server.stop())
  const store = await open(t, server.url)
  const first = await publishMany(store, 'a', 1, 3)
  await rewind(server, store)
  await isBroken(t, store, 'a', first)
  const { top } = await store.channels.read('a', undefined, 0)
  t.equal(top.offset, 4)
})

t.test('channels after a promotion: a break', async t => {
  const primary = await startRedis(primaryOptions)
  const replica = await startRedis(['--save', '', '--replicaof', '127.0.0.1', new URL(primary.url).port])
  t.teardown(() => Promise.all([primary.stop(), replica.stop()]))
  const root = await admin(t, replica)
  const store = await open(t, primary.url)
  await until('the replica follows', async () => (await root.info('replication')).includes('master_link_status:up'))
  const first = await publishMany(store, 'a', 1, 3)
  await until('it was replicated', async () => (await root.hget('cs:channel:{a}', 'offset')) === '3')
  await root.call('REPLICAOF', 'NO', 'ONE')
  await isBroken(t, await open(t, replica.url), 'a', first)
})

t.test('INFO hidden: channels continue while connections last, and break at a rewind', async t => {
  const { server, url, root } = await startWithoutInfo(t)
  const store = await open(t, url)
  const another = await open(t, url)
  const first = await publishMany(store, 'a', 1, 5)
  t.match(await another.channels.read('a', { ...first, offset: 3 }, 9), {
    publications: [{ data: '4' }, { data: '5' }]
  })
  t.equal(
    (await publishMany(another, 'a', 6, 6)).epoch,
    first.epoch,
    'two instances do not break channels of each other'
  )
  await root.save()
  await publishMany(store, 'a', 7, 10)
  await rewind(server, store, another)
  await isBroken(t, another, 'a', { ...first, offset: 10 })
  const { top } = await store.channels.read('a', undefined, 0)
  t.equal((await publishMany(another, 'a', 1, 1)).epoch, top.epoch, 'and continues')
})

t.test('a Cluster that hides INFO: refuses everything behind the fence', async t => {
  const node = await startRedis(
    ['--save', '', '--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
    dir => {
      const path = join(dir, 'redis.conf')
      writeFileSync(path, 'user gateway on >secret ~* &* +@all -info\n')
      return path
    }
  )
  t.teardown(() => node.stop())
  const root = await admin(t, node)
  await root.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383)
  await until('the cluster is ready', async () =>
    String(await root.call('CLUSTER', 'INFO')).includes('cluster_state:ok')
  )
  const store = await open(t, node.url.replace('redis://', 'redis+cluster://gateway:secret@'))
  await t.rejects(store.challenges.fence(), StoreUnavailable)
  await t.rejects(publish(store.channels, 'a', '1'), StoreUnavailable)
})

t.test('refuses a bridge session from before a rewind, whatever was acknowledged', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await open(t, server.url)
  const root = await admin(t, server)
  const session = (sessionId: string) => ({ sessionId, info: 'i', positions: new Map(), challengeAt: 0 })
  const request = (sessionId: string, poll: number) => ({
    ...{ sessionId, instanceId: 'a', poll, ack: 1, isLongPoll: false, messages: [{ seq: poll + 1, text: 't' }] },
    ...{ answerBytes: 100, perSecond: 0 }
  })
  const commit = (version: number) => ({
    ...{ sessionId: 'old', instanceId: 'a', version, answered: [2], frames: ['f'], positions: new Map() },
    ...{ maxFrames: 9, maxBytes: 99 }
  })
  await store.bridge.open(session('old'))
  t.match(await store.bridge.exchange(request('old', 1)), { kind: 'accepted' })
  await root.save()
  t.equal(await store.bridge.commit(commit(0)), 'done')
  await rewind(server, store)
  t.equal(await root.exists('cs:bridge:{old}'), 1, 'it exists again, without its answer')
  t.equal(await store.bridge.commit(commit(0)), 'gone')
  t.equal(await store.bridge.read('old', 99), undefined)
  t.same(await store.bridge.exchange(request('old', 2)), { kind: 'missing', isRewound: true })
  t.match(await store.bridge.end('old', 'SESSION_NOT_FOUND', 9), { code: 'SESSION_NOT_FOUND' })
  t.match(await store.bridge.exchange(request('old', 3)), { kind: 'missing' }, 'ended')
  await store.bridge.open(session('new'))
  t.match(await store.bridge.exchange(request('new', 1)), { kind: 'accepted' })
})
