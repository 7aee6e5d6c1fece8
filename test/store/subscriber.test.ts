import { Redis } from 'ioredis'
import t from 'tap'
import { openRedisStore } from '../../src/store/redis/index.js'
import { subscribeBatch } from '../../src/store/redis/pubsub/subscriber.js'
import { StoreUnavailable } from '../../src/store/store.js'
import { startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'
import { publish, record } from './channel-helpers.js'

t.test('subscribes many channels in batches, and again after a break', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await openRedisStore(server.url)
  t.teardown(() => store.close())
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  const subscribes = async (): Promise<number> =>
    Number(/cmdstat_ssubscribe:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1] ?? 0)
  const { heard, missed } = record(store.channels)
  const names = Array.from({ length: 3 * subscribeBatch }, (_, i) => `c${i}`)
  const before = await subscribes()
  await Promise.all(names.map(name => store.channels.listen([name])))
  t.equal((await subscribes()) - before, 3, 'concurrent requests travel together')

  await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await until('it exists again', () => missed.count > 0)
  t.ok(store.channels.isReceiving)
  const rest = (await subscribes()) - before - 3
  t.ok(rest >= 4 && rest <= 8, 'in batches, including other subscriptions')
  await publish(store.channels, 'c0', '1')
  await publish(store.channels, `c${names.length - 1}`, '1')
  await until('both are received', () => heard.length === 2)
  store.channels.unlisten(names)
  await store.channels.listen(['last'])
  const [, count] = (await admin.pubsub('SHARDNUMSUB', 'cs:channel:{c0}')) as [string, number]
  t.equal(count, 0, 'unlistened channels are unsubscribed')
})

t.test('rejects calls without Redis, and receives everything again with it', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await openRedisStore(server.url)
  t.teardown(() => store.close())
  const { channels } = store
  const { heard, missed } = record(channels)
  await channels.listen(['before'])

  await server.kill()
  await until('it is not receiving', () => !channels.isReceiving)
  await t.rejects(publish(channels, 'before', '1'), StoreUnavailable)
  await t.rejects(publish(channels, 'before', '1', 'key'), StoreUnavailable)
  await t.rejects(channels.read('before', undefined, 1), StoreUnavailable)
  await t.rejects(channels.tops(['before', 'during']), StoreUnavailable)
  await t.rejects(channels.listen(['during', 'withdrawn']), StoreUnavailable)
  channels.unlisten(['withdrawn'])

  await server.start()
  await until('it receives', () => channels.isReceiving)
  await until('the listener is notified', () => missed.count > 0)
  await until('the store answers', () =>
    store.ping().then(
      () => true,
      () => false
    )
  )
  for (const name of ['withdrawn', 'before', 'during']) await publish(channels, name, '1')
  await until('both', () => heard.length === 2)
  t.same(
    heard.map(({ channel, offset }) => [channel, offset]),
    [
      ['before', 1],
      ['during', 1]
    ],
    'the rejected calls had no effect'
  )
})

t.test('a silent Redis blocks no caller', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await openRedisStore(server.url)
  t.teardown(() => store.close())
  const { channels } = store
  record(channels)
  process.kill(server.pid, 'SIGSTOP')
  const all = [
    publish(channels, 'a', '1'),
    channels.read('a', undefined, 1),
    channels.tops(['a']),
    channels.listen(['a'])
  ]
  for (const result of await Promise.allSettled(all)) {
    t.match(result, { status: 'rejected', reason: { name: 'StoreUnavailable' } })
  }
  process.kill(server.pid, 'SIGCONT')
  await until('it receives all the same', () => channels.isReceiving)
  await channels.listen(['a'])
})

t.test('repeated kills of Redis under load neither repeat nor silently lose a publication', async t => {
  const server = await startRedis(['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'])
  t.teardown(() => server.stop())
  const store = await openRedisStore(server.url)
  t.teardown(() => store.close())
  const other = await openRedisStore(server.url)
  t.teardown(() => other.close())
  const { heard } = record(other.channels)
  await other.channels.listen(['a'])

  const kills = 3
  const between = 200
  const positions = new Map<string, string>()
  const last = { offset: 0, epoch: '' }
  let next = 0
  let stop = false
  /** Publishes in sequence, each until it is acknowledged. */
  const publisher = async () => {
    while (!stop) {
      const data = `${next++}`
      for (;;) {
        const published = await publish(store.channels, 'a', data, data).catch(() => undefined)
        if (published === undefined) {
          await new Promise(setImmediate)
          continue
        }
        positions.set(data, `${published.epoch}:${published.offset}`)
        if (published.offset > last.offset) Object.assign(last, { offset: published.offset, epoch: published.epoch })
        break
      }
    }
  }
  const publishers = Array.from({ length: 4 }, publisher)
  for (let i = 1; i <= kills; i++) {
    await until('many were acknowledged', () => positions.size >= i * between)
    await server.kill()
    const { offset, epoch } = { ...last }
    await server.start()
    await until('publications go on', () => last.epoch !== epoch)
    const { top, publications } = await store.channels.read('a', { offset, epoch }, 1e6)
    t.equal(publications, undefined, 'a break')
    t.ok(top.offset > offset, 'no acknowledged offset is assigned again')
  }
  stop = true
  await Promise.all(publishers)
  t.equal(new Set(positions.values()).size, positions.size, 'positions are unique')
  const { top } = await store.channels.read('a', undefined, 0)
  t.equal(top.offset, positions.size, 'each was published once, even if its first reply was lost')
  const received = heard.map(({ data }) => data)
  t.equal(new Set(received).size, received.length, 'none was received twice')
})
