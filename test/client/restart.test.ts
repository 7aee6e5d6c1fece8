import type { AddressInfo } from 'node:net'
import { createServer, connect as dial, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { type Gateway, startGateway } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'
import { until } from '../helper/until.js'
import { createClientOf, nextEvent } from './clients.js'

/** A graceful stop of one of two instances moves every session without a failed request. */

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
