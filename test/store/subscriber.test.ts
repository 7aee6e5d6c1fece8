import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { openRedisStore } from '../../src/store/redis/index.js'
import { LivenessProbe } from '../../src/store/redis/pubsub/liveness-probe.js'
import { NotificationQueue } from '../../src/store/redis/pubsub/notification-queue.js'
import { subscribeBatch } from '../../src/store/redis/pubsub/subscriber.js'
import { StoreUnavailable } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import { startGateway } from '../helper/gateway.js'
import { startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'
import { publish, record } from './channels-contract.js'

/** The connection for subscriptions: what is between Redis and a listener when things go wrong. */

/** A way to a server on which connections that subscribe can be made deaf: publications on them are swallowed, all else comes. */
async function startWay(t: Test, port: number) {
  const way = { swallow: false, port: 0 }
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    const upstream = connect(port, '127.0.0.1')
    let subscribes = false
    client.on('data', data => {
      subscribes ||= /\r\nsubscribe\r\n/i.test(data.toString('latin1'))
      upstream.write(data)
    })
    upstream.on('data', data => {
      if (!(subscribes && way.swallow && data.includes('\r\nmessage\r\n'))) client.write(data)
    })
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
    }
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  way.port = address === null || typeof address === 'string' ? 0 : address.port
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return way
}

t.test('a deaf subscriber is found out, readiness turns red, and it is mended without a restart', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const way = await startWay(t, Number(new URL(server.url).port))
  const store = await openRedisStore(`redis://127.0.0.1:${way.port}`, { silenceMs: 100 })
  const gateway = await startGateway(t, { store })
  const { heard, missed } = record(store.channels)
  await store.channels.listen(['a'])
  await publish(store.channels, 'a', '1')
  await until('it isReceiving', () => heard.length === 1)
  t.ok(store.channels.isReceiving)

  way.swallow = true
  await publish(store.channels, 'a', '2')
  await until('it is found out', () => !store.channels.isReceiving && store.channels.counts.restarts > 0)
  const restarts = store.channels.counts.restarts
  await until('it comes back as deaf as it was', () => store.channels.counts.restarts > restarts)
  t.notOk(store.channels.isReceiving, 'a connection that stands is not yet one that isReceiving')
  const ready = await fetch(`${gateway.url}/readyz`)
  t.equal(ready.status, 503)
  t.match(await ready.json(), { checks: { store: 'ok', channels: /no word/ } })
  t.equal((await fetch(`${gateway.url}/livez`)).status, 200)
  t.match(await (await fetch(`${gateway.url}/metrics`)).text(), /^countersign_subscriber_restarts_total [1-9]/m)

  const before = missed.count
  way.swallow = false
  await until('it isReceiving again', () => store.channels.isReceiving)
  await publish(store.channels, 'a', '3')
  await until('words flow', () => heard.some(({ data }) => data === '3'))
  t.ok(missed.count > before, 'positions are checked: the second was lost')
  t.equal((await fetch(`${gateway.url}/readyz`)).status, 200)
})

t.test('probe: silence, a probe that was accepted, silence again', async t => {
  const clock = createClock()
  const log: string[] = []
  let publishes: () => Promise<void> = async () => {}
  const probe = new LivenessProbe({
    silenceMs: 1000,
    now: clock.now,
    probe() {
      log.push('probe')
      return publishes()
    },
    restart() {
      log.push('restart')
      probe.changeConnection(false)
      probe.changeConnection(true)
    }
  })
  /** Lets so many milliseconds pass, with a check at their end, and whatever that began. */
  const pass = async (ms: number): Promise<string[]> => {
    clock.advance(ms)
    probe.check()
    await new Promise(setImmediate)
    return log.splice(0)
  }
  t.same(await pass(5000), [], 'not connected: there is nothing to prove')
  probe.changeConnection(true)
  t.same(await pass(999), [])
  t.same(await pass(1), ['probe'])
  probe.received()
  t.same(await pass(999), [], 'the probe was heard')

  publishes = () => Promise.reject(new StoreUnavailable())
  t.same(await pass(1), ['probe'])
  t.same(await pass(5000), ['probe'], 'it was not accepted: the way of publishing is at fault')
  t.ok(probe.isReceiving)

  publishes = async () => {}
  t.same(await pass(1), ['probe'])
  t.same(await pass(999), [], 'a whole interval after it was accepted')
  t.ok(probe.isReceiving)
  t.same(await pass(1), ['restart', 'probe'], 'and at once the question whether the new one isReceiving')
  t.notOk(probe.isReceiving)
  t.same(await pass(1999), [], 'twice as patient')
  t.same(await pass(1), ['restart', 'probe'])
  for (const patienceMs of [4000, 8000, 10_000, 10_000]) {
    t.same(await pass(patienceMs - 1), [])
    t.same(await pass(1), ['restart', 'probe'])
  }
  t.notOk(probe.isReceiving)
  probe.received()
  t.ok(probe.isReceiving)
  t.same(await pass(1000), ['probe'])
  t.same(await pass(1000), ['restart', 'probe'], 'it begins anew')
})

t.test('the queue before a listener is bounded: what is beyond is dropped, counted, and told in its place', async t => {
  const seen: (number | 'missing')[] = []
  const queue = new NotificationQueue<number>(
    message => seen.push(message),
    () => seen.push('missing'),
    { maxWaiting: 3, maxWaitingBytes: 100 }
  )
  for (let i = 1; i <= 5; i++) queue.enqueue(i, 1)
  t.same(seen, [], 'whoever reads never waits for whoever handles')
  await until('all were handled', () => seen.includes('missing'))
  t.same(seen, [1, 2, 3, 'missing'])
  t.equal(queue.dropped, 2)
  queue.enqueue(6, 60)
  queue.enqueue(7, 60)
  queue.enqueue(8, 40)
  await until('these too', () => seen.length === 7)
  t.same(seen.slice(4), [6, 'missing', 8], 'bytes are bounded too')
  t.equal(queue.dropped, 3)
  queue.enqueue(9, 1)
  await until('and on', () => seen.includes(9))
})

t.test('a burst beyond the bound over Redis: dropped, counted, and positions are to be checked', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await openRedisStore(server.url, { maxWaiting: 10 })
  t.teardown(() => store.close())
  const { heard, missed } = record(store.channels)
  await store.channels.listen(['a'])
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  // In one write, so that they arrive in one read.
  const burst = "for i = 1, 500 do redis.call('PUBLISH', KEYS[1], i .. ':1:e:' .. i) end"
  await admin.eval(burst, 1, 'cs:channel:{a}')
  await until('it is told', () => missed.count > 0)
  t.ok(store.channels.counts.dropped > 0)
  t.ok(
    heard.every(({ offset }, i) => offset > (heard[i - 1]?.offset ?? 0)),
    'what came was in order'
  )
})

t.test('many channels: subscribed in batches, and again after a break', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await openRedisStore(server.url)
  t.teardown(() => store.close())
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  const subscribes = async (): Promise<number> =>
    Number(/cmdstat_subscribe:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1] ?? 0)
  const { heard, missed } = record(store.channels)
  const names = Array.from({ length: 3 * subscribeBatch }, (_, i) => `c${i}`)
  const before = await subscribes()
  await Promise.all(names.map(name => store.channels.listen([name])))
  t.equal((await subscribes()) - before, 3, 'what was asked for in one moment went together')

  await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await until('it is back', () => missed.count > 0)
  t.ok(store.channels.isReceiving)
  const rest = (await subscribes()) - before - 3
  t.ok(rest >= 4 && rest <= 8, 'in batches, the other subscriptions of the store included')
  await publish(store.channels, 'c0', '1')
  await publish(store.channels, `c${names.length - 1}`, '1')
  await until('both are heard', () => heard.length === 2)
  store.channels.unlisten(names)
  await store.channels.listen(['last'])
  const [, count] = (await admin.pubsub('NUMSUB', 'cs:channel:{c0}')) as [string, number]
  t.equal(count, 0, 'an instance subscribes to nothing that it does not listen to')
})

t.test('Redis gone: everything is refused, nothing hangs; back: everything is heard again', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await openRedisStore(server.url)
  t.teardown(() => store.close())
  const { channels } = store
  const { heard, missed } = record(channels)
  await channels.listen(['before'])

  await server.kill()
  await until('it knows', () => !channels.isReceiving)
  await t.rejects(publish(channels, 'before', '1'), StoreUnavailable)
  await t.rejects(publish(channels, 'before', '1', 'key'), StoreUnavailable)
  await t.rejects(channels.read('before', undefined, 1), StoreUnavailable)
  await t.rejects(channels.tops(['before', 'during']), StoreUnavailable)
  await t.rejects(channels.listen(['during', 'given up']), StoreUnavailable)
  channels.unlisten(['given up'])

  await server.start()
  await until('it isReceiving', () => channels.isReceiving)
  await until('and says so', () => missed.count > 0)
  await until('the store answers', () =>
    store.ping().then(
      () => true,
      () => false
    )
  )
  for (const name of ['given up', 'before', 'during']) await publish(channels, name, '1')
  await until('both', () => heard.length === 2)
  t.same(
    heard.map(({ channel, offset }) => [channel, offset]),
    [
      ['before', 1],
      ['during', 1]
    ],
    'what was refused had not happened'
  )
})

t.test('a silent Redis hangs nobody', async t => {
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
  await until('it is heard all the same', () => channels.isReceiving)
  await channels.listen(['a'])
})

t.test(
  'Redis is killed again and again under publications: none twice, none that was acknowledged lost unsaid',
  async t => {
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
    /** Publishes one after the other, each until it is acknowledged. */
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
      t.equal(publications, undefined, 'an honest break')
      t.ok(top.offset > offset, 'no offset that was acknowledged is given out again')
    }
    stop = true
    await Promise.all(publishers)
    t.equal(new Set(positions.values()).size, positions.size, 'each has a position of its own')
    const { top } = await store.channels.read('a', undefined, 0)
    t.equal(top.offset, positions.size, 'each was published once, those included whose first answer was lost')
    const told = heard.map(({ data }) => data)
    t.equal(new Set(told).size, told.length, 'and none was heard twice')
  }
)
