import type { AddressInfo } from 'node:net'
import { createServer, connect as dial, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { openEmbeddedStore } from '../../src/store/embedded/index.js'
import { createClock } from '../helper/clock.js'
import { type Gateway, startGateway } from '../helper/gateway.js'
import { tempDir } from '../helper/process.js'
import { stores } from '../helper/stores.js'
import { until } from '../helper/until.js'
import { createClientOf, nextEvent } from './clients.js'

/** A graceful stop moves every session without a failed request, even if there is briefly no other instance. */

/** A load balancer that sends new connections to the first instance that is ready. */
async function startBalancer(t: Test, gateways: readonly Gateway[], isReady: (gateway: Gateway) => boolean) {
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    const gateway = gateways.find(isReady)
    if (gateway === undefined) return client.destroy()
    const upstream = dial(Number(new URL(gateway.url).port), '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream).pipe(client)
    return undefined
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/ws`
}

t.test('bug: a graceful restart was slower than a crash, and publishes failed', { timeout: 60_000 }, async t => {
  const { store } = await stores.redis(t, Date.now)
  // Half of it is for the spread of the clients; the other half is patience with a slow machine.
  const drainMs = 8000
  const gateways = [
    await startGateway(t, { store, config: { drainMs } }),
    await startGateway(t, { store, config: { drainMs } })
  ]
  const [first, second] = gateways
  if (first === undefined || second === undefined) throw new Error('no gateways')
  let isDraining = false
  const url = await startBalancer(t, gateways, gateway => gateway === second || !isDraining)
  const credential = await first.createClient({ subscribe: ['*'], publish: ['*'] })
  const clients = Array.from({ length: 20 }, () => createClientOf(t, first, { credential, url }))
  for (const client of clients) client.on('lost', ({ reason }) => t.fail(`a session was lost: ${reason}`))
  const open = Promise.all(clients.map(client => nextEvent(client, 'welcome')))
  for (const client of clients) client.connect()
  await open
  t.equal(first.app.sessionCount(), clients.length)
  const published: Promise<unknown>[] = []
  const publishing = setInterval(() => {
    for (const client of clients) published.push(client.publish('c', published.length))
  }, 100)
  t.teardown(() => clearInterval(publishing))
  isDraining = true
  const began = performance.now()
  const stopped = first.app.stop()
  await until(
    'every session has moved',
    () => second.app.sessionCount() >= clients.length && first.app.sessionCount() === 0
  )
  const movedMs = performance.now() - began
  clearInterval(publishing)
  await stopped
  t.ok(movedMs < drainMs, `all moved within the drain: ${Math.round(movedMs)} ms`)
  const results = await Promise.allSettled(published)
  t.equal(results.filter(({ status }) => status === 'rejected').length, 0, `none of ${results.length} publishes failed`)
  t.ok(clients.every(({ state }) => state === 'connected'))
})

t.test('the only instance: its client is back soon after its return, from its last position', async t => {
  const [dir, clock] = [tempDir(t), createClock()]
  const start = () => startGateway(t, { store: openEmbeddedStore(dir, clock.now), clock, config: { drainMs: 500 } })
  const gateways: Gateway[] = [await start()]
  const [first] = gateways
  if (first === undefined) throw new Error('no gateway')
  const url = await startBalancer(t, gateways, () => true)
  const credential = await first.createClient({ subscribe: ['*'], publish: ['*'] })
  const client = createClientOf(t, first, { credential, url }).connect()
  client.on('missed', ({ channel }) => t.fail(`publications of ${channel} were missed`))
  const received: unknown[] = []
  await client.subscribe('c', ({ data }) => received.push(data)).ready
  await client.publish('c', 1)
  await until('it has arrived', () => received.length === 1)

  gateways.pop()
  await first.app.stop()
  await first.store.close()
  await until('the client has noticed', () => client.state === 'connecting')
  const published = client.publish('c', 2)
  const second = await start()
  t.teardown(() => second.store.close())
  gateways.push(second)
  const began = performance.now()
  await until('it is back', () => client.state === 'connected')
  // 1.5 s at most for its next try; the rest is patience with a slow machine.
  t.ok(performance.now() - began < 4000, `${Math.round(performance.now() - began)} ms`)
  t.match(await published, { offset: 2 })
  await until('both have arrived', () => received.length === 2)
  t.same(received, [1, 2])
})
