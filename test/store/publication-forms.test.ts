import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { openRedisStore, type RedisStoreOptions } from '../../src/store/redis/index.js'
import { bothFormsMs, PublicationForms } from '../../src/store/redis/pubsub/publication-forms.js'
import { PublicationReceiver } from '../../src/store/redis/pubsub/publication-receiver.js'
import { type Store, StoreUnavailable } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import { startRedis } from '../helper/redis-server.js'
import { redisUrl } from '../helper/stores.js'
import { until } from '../helper/until.js'
import { lapseKeys, publish, record } from './channel-helpers.js'
import { channelsSuite } from './channels.suite.js'

/** The two forms of publications in Redis, plain and sharded, and instances of earlier versions that know one. */

const secrets = { adminToken: 'a', masterKeys: 'm' }
let count = 0

async function connect(t: Test): Promise<Redis> {
  const redis = new Redis(redisUrl())
  t.teardown(() => redis.disconnect())
  return redis
}

async function open(t: Test, url: string, options: RedisStoreOptions): Promise<Store> {
  const store = await openRedisStore(url, options)
  t.teardown(() => store.close())
  return store
}

/** Actions of an instance of an earlier version in Redis: a channel of its own, a heartbeat, and plain publications. */
async function startEarlier(t: Test, prefix: string, names: readonly string[]) {
  const subscriber = await connect(t)
  const heard: string[] = []
  subscriber.on('message', (name: string, message: string) => {
    if (name.includes(':channel:')) heard.push(message)
  })
  await subscriber.subscribe(`${prefix}:words:i_old`, ...names.map(name => `${prefix}:channel:{${name}}`))
  const redis = await connect(t)
  await redis.set(`${prefix}:instance:i_old`, '2 a m')
  return { heard, redis, stop: () => subscriber.disconnect() }
}

t.test('uses both forms while an earlier version is running, and for some time after', async t => {
  const { now, advance } = createClock()
  const forms = new PublicationForms(true, now)
  t.match(forms, { sent: 'sharded', isPlain: false })
  forms.learn([{ isSharded: true }, { isSharded: false }])
  t.match(forms, { sent: 'both', isPlain: true })
  advance(bothFormsMs - 1)
  forms.learn([{ isSharded: true }])
  t.match(forms, { sent: 'both', isPlain: true })
  advance(1)
  t.match(forms, { sent: 'sharded', isPlain: false })
  t.match(new PublicationForms(false, now), { sent: 'plain', isPlain: true })
})

t.test('instances of both versions hear each other during a rolling upgrade', async t => {
  const prefix = `forms-${randomBytes(6).toString('hex')}`
  const earlier = await startEarlier(t, prefix, ['a'])
  const plain: string[] = []
  const options = { prefix, bothFormsMs: 0, onPlain: (reason: string) => void plain.push(reason) }
  const [store, other] = [
    await open(t, redisUrl(), { ...options, bothFormsMs: 60_000 }),
    await open(t, redisUrl(), options)
  ]
  const { heard } = record(store.channels)
  const { heard: heardByOther } = record(other.channels)
  await store.channels.listen(['a'])
  await other.channels.listen(['a'])
  const { epoch } = await publish(store.channels, 'a', '"1"')
  await until('the earlier version hears the later one', () => earlier.heard.length > 0)
  t.same(earlier.heard, [`1:1:${epoch}:"1"`])
  await earlier.redis.publish(`${prefix}:channel:{a}`, `2:1:${epoch}:"2"`)
  await until('the later version hears the earlier one', () => heard.some(({ offset }) => offset === 2))
  await until('another of the later version hears it', () => heardByOther.some(({ offset }) => offset === 1))
  t.same([...new Set(heard.map(({ offset }) => offset))], [1, 2], 'in order, though the first came in both forms')
  t.same(plain, [], 'the server has both forms')
})

t.test('follows an earlier version that comes and goes', async t => {
  const prefix = `forms-${randomBytes(6).toString('hex')}`
  const store = await open(t, redisUrl(), { prefix, bothFormsMs: 1 })
  const redis = await connect(t)
  const stop = store.bridge.listen('i_new', { notification() {}, mayHaveMissed() {} })
  t.teardown(stop)
  await store.bridge.heartbeat('i_new', 60_000, { schemaVersion: 2, secrets })
  const { heard, missed } = record(store.channels)
  await store.channels.listen(['a'])
  const plainReceivers = async () => {
    await store.announcements()
    const [, receivers] = (await redis.pubsub('NUMSUB', `${prefix}:channel:{a}`)) as [string, number]
    return receivers
  }
  t.equal(await plainReceivers(), 0)
  const earlier = await startEarlier(t, prefix, [])
  const before = missed.count
  await until('it receives the plain form', async () => (await plainReceivers()) === 1)
  t.ok(missed.count > before, 'publications before may be missing')
  const { epoch } = await publish(store.channels, 'a', '"1"')
  await earlier.redis.publish(`${prefix}:channel:{a}`, `2:1:${epoch}:"2"`)
  await until('it hears it', () => heard.some(({ offset }) => offset === 2))
  t.same(await store.announcements(), [
    { schemaVersion: 2, secrets },
    { schemaVersion: 2, secrets }
  ])
  earlier.stop()
  await until('the sharded form is enough', async () => (await plainReceivers()) === 0)
  await publish(store.channels, 'a', '"3"')
  await until('it goes on', () => heard.some(({ data }) => data === '"3"'))
})

t.test('a user without the sharded form: states it once, and passes the suite', async t => {
  const admin = await connect(t)
  const user = `plain-${randomBytes(6).toString('hex')}`
  await admin.call('ACL', 'SETUSER', user, 'on', '>pw', '~*', '&*', '+@all', '-spublish')
  t.teardown(() => admin.call('ACL', 'DELUSER', user))
  const url = redisUrl().replace('//', `//${user}:pw@`)
  const reasons: string[] = []
  const options = { onPlain: (reason: string) => void reasons.push(reason) }
  const store = await open(t, url, { ...options, prefix: user })
  t.match(reasons, [/may not run SPUBLISH|SPUBLISH/])
  t.notMatch(reasons, new RegExp(user), 'the name of the user is no part of it')
  const sharded = await open(t, redisUrl(), { prefix: user })
  await store.bridge.heartbeat('i_plain', 60_000, { schemaVersion: 2, secrets })
  t.teardown(store.bridge.listen('i_plain', { notification() {}, mayHaveMissed() {} }))
  const { heard } = record(sharded.channels)
  await sharded.channels.listen(['a'])
  await until('the other instance hears it', async () => {
    await sharded.announcements()
    await publish(store.channels, 'a', '1')
    return heard.length > 0
  })

  channelsSuite(t, async (t, history) => {
    const prefix = `${user}-${count++}`
    const openAnother = async () => {
      const bounds = history === undefined ? {} : { history }
      return (await open(t, url, { ...options, prefix, ...bounds })).channels
    }
    return { channels: await openAnother(), another: openAnother, lapse: ms => lapseKeys([admin], prefix, ms) }
  })
})

t.test('bug: publications before a late connection for an earlier version were missed', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const { now } = createClock()
  const forms = new PublicationForms(true, now)
  const receiver = new PublicationReceiver({
    ...{ forms, shards: { isCluster: false, owners: () => [], refresh: async () => {} } },
    open: () => new Redis(server.url, { retryStrategy: () => null }),
    nameOf: channel => `cs:channel:{${channel}}`,
    ...{ probePrefix: 'probe', probe: async () => {}, onError() {} },
    silenceMs: 600_000
  })
  t.teardown(() => receiver.close())
  let missed = 0
  receiver.onPublication({ publication() {}, mayHaveMissed: () => void missed++ })
  await t.rejects(receiver.listen(['a']), StoreUnavailable, 'no node has the sharded form')
  process.kill(server.pid, 'SIGSTOP')
  forms.learn([{ isSharded: false }])
  await t.rejects(receiver.followForms(), StoreUnavailable)
  t.equal(missed, 0)
  process.kill(server.pid, 'SIGCONT')
  await until('the connection is there, and positions are verified', () => missed === 1)
})
