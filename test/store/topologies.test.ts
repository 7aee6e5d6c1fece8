import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { RedisClient } from '../../src/store/redis/client.js'
import { parseConnectionUrl } from '../../src/store/redis/connection-url.js'
import { openRedisStore } from '../../src/store/redis/index.js'
import { startCluster } from '../helper/redis-cluster.js'
import { startRedis } from '../helper/redis-server.js'
import type { OpenStoreForTest } from '../helper/stores.js'
import { until } from '../helper/until.js'
import { lapseKeys, publish, record } from './channel-helpers.js'
import { channelsSuite } from './channels.suite.js'
import { durableSuite } from './durable.suite.js'
import { ephemeralSuite } from './ephemeral.suite.js'
import { presenceSuite } from './presence.suite.js'
import { sessionsSuite } from './sessions.suite.js'

/** The store on a real Redis Cluster and behind a real Sentinel. */

const totalSlots = 16_384

t.test('cluster of three: passes all suites', async t => {
  const { url, admins } = await startCluster(t)
  let count = 0
  const openOnCluster: OpenStoreForTest = async t => {
    const prefix = `c${count++}`
    const open = async () => {
      const store = await openRedisStore(url, { prefix })
      t.teardown(() => store.close())
      return store
    }
    return { store: await open(), another: open }
  }
  durableSuite(t, openOnCluster)
  ephemeralSuite(t, openOnCluster)
  sessionsSuite(t, openOnCluster)
  presenceSuite(t, openOnCluster)
  channelsSuite(t, async (t, history) => {
    const prefix = `c${count++}`
    const open = async () => {
      const store = await openRedisStore(url, { prefix, ...(history === undefined ? {} : { history }) })
      t.teardown(() => store.close())
      return store.channels
    }
    return { channels: await open(), another: open, lapse: ms => lapseKeys(admins, prefix, ms) }
  })
})

t.test('bug: on a Cluster a command whose reply was lost is not sent again', async t => {
  const node = await startRedis(['--cluster-enabled', 'yes', '--save', '', '--appendonly', 'no'])
  t.teardown(() => node.stop())
  const { Redis } = await import('ioredis')
  const port = Number(new URL(node.url).port)
  const admin = new Redis(node.url)
  t.teardown(() => admin.disconnect())
  await admin.call('CLUSTER', 'ADDSLOTSRANGE', 0, totalSlots - 1)
  await until('the cluster is ready', async () =>
    String(await admin.call('CLUSTER', 'INFO')).includes('cluster_state:ok')
  )
  // A proxy that can drop a reply and then the connection.
  const drop = { now: false }
  const proxy = createServer(client => {
    const upstream = connect(port, '127.0.0.1')
    client.on('data', data => upstream.write(data))
    upstream.on('data', data => {
      if (drop.now) client.destroy()
      else client.write(data)
    })
    for (const socket of [client, upstream]) socket.on('error', () => {})
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => proxy.close())
  const address = proxy.address()
  const proxyPort = address === null || typeof address === 'string' ? 0 : address.port
  await admin.config('SET', 'cluster-announce-ip', '127.0.0.1')
  await admin.config('SET', 'cluster-announce-port', proxyPort)
  const redis = new RedisClient(`redis+cluster://127.0.0.1:${proxyPort}`, () => {})
  t.teardown(() => redis.disconnect())
  await redis.ready(5000)
  await redis.command('SET', 'counter', 0)
  drop.now = true
  await t.rejects(redis.command('INCR', 'counter'), { name: 'StoreUnavailable' })
  drop.now = false
  t.equal(await admin.get('counter'), '1', 'it ran once')
})

t.test('sentinel: finds the primary by name, and the new one after a failover', async t => {
  const primary = await startRedis()
  const { port } = new URL(primary.url)
  const replica = await startRedis(['--save', '', '--replicaof', '127.0.0.1', port])
  // A sentinel writes to its configuration file.
  const sentinel = await startRedis(['--sentinel'], dir => {
    const path = join(dir, 'sentinel.conf')
    const settings = [
      `sentinel monitor main 127.0.0.1 ${port} 1`,
      'sentinel down-after-milliseconds main 300',
      'sentinel failover-timeout main 60000'
    ]
    writeFileSync(path, `${settings.join('\n')}\n`)
    return path
  })
  t.teardown(() => Promise.all([primary, replica, sentinel].map(node => node.stop())))
  const { Redis } = await import('ioredis')
  const admin = new Redis(sentinel.url)
  const replicaAdmin = new Redis(replica.url)
  t.teardown(() => {
    for (const each of [admin, replicaAdmin]) each.disconnect()
  })
  // Keeps a stall of two seconds from stopping it for thirty (its TILT mode). Older versions have no DEBUG.
  await admin.call('SENTINEL', 'DEBUG', 'tilt-trigger', '60000', 'info-period', '200').catch(() => {})
  await until('the sentinel knows the replica', async () =>
    String(await admin.call('SENTINEL', 'REPLICAS', 'main')).includes(new URL(replica.url).port)
  )
  await until('the replica follows', async () =>
    (await replicaAdmin.info('replication')).includes('master_link_status:up')
  )

  const store = await openRedisStore(`redis+sentinel://127.0.0.1:${new URL(sentinel.url).port}/main`)
  t.teardown(() => store.close())
  const audit = ({ seq }: { seq: number }) => ({ hash: `h${seq + 1}`, text: 'e' })
  const commit = () => store.durable.commit({ writes: [], audit })
  t.equal(await commit(), 1)
  const { heard } = record(store.channels)
  await store.channels.listen(['a'])
  const before = await publish(store.channels, 'a', '1')
  await until('it is received', () => heard.length === 1)
  await primary.kill()
  await until('the sentinel has promoted the replica', async () => {
    const address = String(await admin.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main'))
    if (address.endsWith(new URL(replica.url).port)) return true
    // After an attempt without a ready replica it waits for minutes, unless a failover is requested.
    await admin.call('SENTINEL', 'FAILOVER', 'main').catch(() => {})
    return false
  })
  await until('the store writes to the new primary', () =>
    commit().then(
      () => true,
      () => false
    )
  )
  t.ok((await store.durable.auditHead()).seq >= 1)
  await until('notifications come from the new primary', () => store.channels.isReceiving)
  const after = await publish(store.channels, 'a', '2')
  t.not(after.epoch, before.epoch, 'a break')
  await until('it is received', () => heard.some(({ data }) => data === '2'))
})

t.test('parses the forms of COUNTERSIGN_STORE', async t => {
  const parse = (url: string) => parseConnectionUrl({ url })
  const hosts = [
    { host: 'a', port: 1 },
    { host: 'b', port: 6379 }
  ]
  t.match(parse('redis+cluster://u:p%40@a:1,b'), { kind: 'cluster', hosts, username: 'u', password: 'p@' })
  t.match(parse('redis+sentinel://a:1,b/main'), { kind: 'sentinel', hosts, name: 'main' })
  t.match(parse('redis+sentinel://:p@a:1/main?x'), { kind: 'sentinel', password: 'p', name: 'main' })
  t.match(parse('redis+cluster://[::1]:7000'), { hosts: [{ host: '::1', port: 7000 }] })
  t.match(parse('rediss://a:1'), { kind: 'single', url: 'redis://a:1', tls: {} })
  t.match(parse('rediss+sentinel://u:p@a:1,b/main'), { kind: 'sentinel', hosts, name: 'main', username: 'u', tls: {} })
  t.match(parse('rediss+cluster://a:1,b'), { kind: 'cluster', hosts, tls: {} })
  t.match(parse('redis://u:p@ss@a:1'), { kind: 'single', url: 'redis://u:p@ss@a:1', tls: undefined })
  t.match(parseConnectionUrl({ url: 'rediss://a', caPem: 'PEM' }), { tls: { ca: 'PEM' } })
  t.match(parseConnectionUrl({ url: 'redis+sentinel://:p@a/m', sentinelPassword: 's' }), {
    ...{ password: 'p', sentinelPassword: 's' }
  })
  t.throws(() => parse('redis+sentinel://a:1'), /name of the primary/)
  t.throws(() => parse('redis+cluster://'), /host/)
})
