import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { openRedisStore } from '../../src/store/redis/index.js'
import { LivenessProbe } from '../../src/store/redis/pubsub/liveness-probe.js'
import { StoreUnavailable } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import { startGateway } from '../helper/gateway.js'
import { startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'
import { publish, record } from './channel-helpers.js'

/** A proxy to a server that can drop the publications on subscribing connections, and nothing else. */
async function startProxy(t: Test, port: number) {
  const proxy = { dropsPublications: false, port: 0 }
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    const upstream = connect(port, '127.0.0.1')
    let subscribes = false
    client.on('data', data => {
      subscribes ||= /\r\ns?subscribe\r\n/i.test(data.toString('latin1'))
      upstream.write(data)
    })
    upstream.on('data', data => {
      if (!(subscribes && proxy.dropsPublications && /\r\ns?message\r\n/.test(data.toString('latin1'))))
        client.write(data)
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
  proxy.port = address === null || typeof address === 'string' ? 0 : address.port
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return proxy
}

t.test('replaces a connection that receives nothing, and turns readiness red meanwhile', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const proxy = await startProxy(t, Number(new URL(server.url).port))
  const store = await openRedisStore(`redis://127.0.0.1:${proxy.port}`, { silenceMs: 100 })
  const gateway = await startGateway(t, { store })
  const { heard, missed } = record(store.channels)
  await store.channels.listen(['a'])
  await publish(store.channels, 'a', '1')
  await until('it receives', () => heard.length === 1)
  t.ok(store.channels.isReceiving)

  proxy.dropsPublications = true
  await publish(store.channels, 'a', '2')
  await until('it is detected', () => !store.channels.isReceiving && store.channels.counts.restarts > 0)
  const restarts = store.channels.counts.restarts
  await until('the next connection receives nothing either', () => store.channels.counts.restarts > restarts)
  t.notOk(store.channels.isReceiving, 'a new connection has not yet proved that it receives')
  const ready = await fetch(`${gateway.url}/readyz`)
  t.equal(ready.status, 503)
  t.match(await ready.json(), { checks: { store: 'ok', channels: /publications do not arrive/ } })
  t.equal((await fetch(`${gateway.url}/livez`)).status, 200)
  t.match(await (await fetch(`${gateway.url}/metrics`)).text(), /^countersign_subscriber_restarts_total [1-9]/m)

  const before = missed.count
  proxy.dropsPublications = false
  await until('it receives again', () => store.channels.isReceiving)
  await publish(store.channels, 'a', '3')
  await until('publications arrive', () => heard.some(({ data }) => data === '3'))
  t.ok(missed.count > before, 'positions are verified, because the second was lost')
  t.equal((await fetch(`${gateway.url}/readyz`)).status, 200)
})

t.test('restarts the connection after an accepted probe and further silence', async t => {
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
  /** Advances time, checks, and returns what that caused. */
  const pass = async (ms: number): Promise<string[]> => {
    clock.advance(ms)
    probe.check()
    await new Promise(setImmediate)
    return log.splice(0)
  }
  t.same(await pass(5000), [], 'not connected, so there is nothing to prove')
  probe.changeConnection(true)
  t.same(await pass(999), [])
  t.same(await pass(1), ['probe'])
  probe.received()
  t.same(await pass(999), [], 'the probe was received')

  publishes = () => Promise.reject(new StoreUnavailable())
  t.same(await pass(1), ['probe'])
  t.same(await pass(5000), ['probe'], 'the probe was not accepted, which proves nothing')
  t.ok(probe.isReceiving)

  publishes = async () => {}
  t.same(await pass(1), ['probe'])
  t.same(await pass(999), [], 'less than an interval after its acceptance')
  t.ok(probe.isReceiving)
  t.same(await pass(1), ['restart', 'probe'], 'the new connection is probed at once')
  t.notOk(probe.isReceiving)
  t.same(await pass(1999), [], 'the patience doubled')
  t.same(await pass(1), ['restart', 'probe'])
  for (const patienceMs of [4000, 8000, 10_000, 10_000]) {
    t.same(await pass(patienceMs - 1), [])
    t.same(await pass(1), ['restart', 'probe'])
  }
  t.notOk(probe.isReceiving)
  probe.received()
  t.ok(probe.isReceiving)
  t.same(await pass(1000), ['probe'])
  t.same(await pass(1000), ['restart', 'probe'], 'the patience is reset')
})
