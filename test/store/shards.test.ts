import type { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { openRedisStore } from '../../src/store/redis/index.js'
import { keySlot } from '../../src/store/redis/key-slot.js'
import { type RedisCluster, startCluster } from '../helper/redis-cluster.js'
import { until } from '../helper/until.js'
import { publish, record } from './channel-helpers.js'

/** Publications on a Redis Cluster: each stays in the shard of its channel. */

const nameOf = (channel: string) => `cs:channel:{${channel}}`

async function openStore(t: Test, url: string) {
  const store = await openRedisStore(url, { silenceMs: 500 })
  t.teardown(() => store.close())
  return store.channels
}

/** For each node a channel in its slots. */
async function channelPerNode({ admins }: RedisCluster): Promise<readonly string[]> {
  const size = 16_384 / admins.length
  return admins.map((_, i) => {
    for (let n = 0; ; n++) if (Math.floor(keySlot(nameOf(`c${n}`)) / size) === i) return `c${n}`
  })
}

async function receivers(redis: Redis, channel: string): Promise<number> {
  const [, count] = (await redis.call('PUBSUB', 'SHARDNUMSUB', nameOf(channel))) as [string, number]
  return count
}

/** Messages of publications that a node has sent to others. */
async function sentToOthers(redis: Redis): Promise<number> {
  const info = String(await redis.call('CLUSTER', 'INFO'))
  return Number(/cluster_stats_messages_publish_sent:(\d+)/.exec(info)?.[1] ?? 0)
}

t.test('a publication stays in its shard, and an instance listens to each shard', async t => {
  const cluster = await startCluster(t)
  const [publisher, listener] = [await openStore(t, cluster.url), await openStore(t, cluster.url)]
  const names = await channelPerNode(cluster)
  const { heard } = record(listener)
  await listener.listen(names)
  for (const [i, admin] of cluster.admins.entries()) {
    const counts = await Promise.all(names.map(name => receivers(admin, name)))
    t.same(
      counts,
      names.map((_, j) => (i === j ? 1 : 0))
    )
  }
  const before = await Promise.all(cluster.admins.map(sentToOthers))
  for (let i = 0; i < 30; i++) await publish(publisher, names[i % names.length] ?? '', `${i}`)
  await until('all were received', () => heard.length === 30)
  t.same(await Promise.all(cluster.admins.map(sentToOthers)), before, 'no node has sent one to another')
  t.ok(listener.isReceiving)
})

t.test('publications of one turn are made on each shard, in the order of each channel', async t => {
  const cluster = await startCluster(t)
  const channels = await openStore(t, cluster.url)
  const names = await channelPerNode(cluster)
  const { heard } = record(channels)
  await channels.listen(names)
  const all = Array.from({ length: 60 }, (_, i) => publish(channels, names[i % names.length] ?? '', `${i}`))
  const offsets = (await Promise.all(all)).map(({ offset }) => offset)
  t.same(
    offsets,
    Array.from(offsets, (_, i) => Math.floor(i / names.length) + 1)
  )
  await until('all were received', () => heard.length === 60)
  for (const [i, name] of names.entries()) {
    const data = heard.filter(({ channel }) => channel === name).map(each => Number(each.data))
    t.same(
      data,
      Array.from(data, (_, n) => n * names.length + i)
    )
  }
})

/** Moves a slot with its keys, as redis-cli does. */
async function moveSlot(slot: number, from: Redis, to: Redis, all: readonly Redis[]): Promise<void> {
  const idOf = async (redis: Redis) => String(await redis.call('CLUSTER', 'MYID'))
  const [source, target] = [await idOf(from), await idOf(to)]
  await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source)
  await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target)
  const keys = (await from.call('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[]
  const { host = '', port = 0 } = to.options
  if (keys.length > 0) await from.call('MIGRATE', host, port, '', 0, 5000, 'KEYS', ...keys)
  for (const redis of [to, from, ...all]) await redis.call('CLUSTER', 'SETSLOT', slot, 'NODE', target)
}

t.test('follows a slot that moves to another node', async t => {
  const cluster = await startCluster(t)
  const channels = await openStore(t, cluster.url)
  const [moving = '', staying = ''] = await channelPerNode(cluster)
  const [from, to] = cluster.admins
  if (from === undefined || to === undefined) throw new Error('no nodes')
  const { heard, missed } = record(channels)
  await channels.listen([moving, staying])
  await publish(channels, moving, '1')
  await until('it is received', () => heard.length === 1)
  const before = missed.count
  await moveSlot(keySlot(nameOf(moving)), from, to, cluster.admins)
  await until('it is subscribed at the other node', async () => (await receivers(to, moving)) === 1)
  await until('positions are verified, because publications may be missing', () => missed.count > before)
  const both = [publish(channels, moving, '2'), publish(channels, staying, '1'), publish(channels, moving, '3')]
  t.match(await Promise.all(both), [{ offset: 2 }, { offset: 1 }, { offset: 3 }], 'in one turn, one batch redirected')
  await until('all are received', () => heard.length === 4)
  t.same(heard.map(({ data }) => data).sort(), ['1', '1', '2', '3'])
  await until('it receives', () => channels.isReceiving)
  channels.unlisten([moving])
  await until('it is unsubscribed there', async () => (await receivers(to, moving)) === 0)
})
