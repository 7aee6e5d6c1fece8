import t from 'tap'
import type { Publication } from '../../src/client/options.js'
import { startGateway, testAdminToken } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { createClientOf, createManualClient, nextEvent } from './clients.js'

/** Channels with a real gateway. */

const all = { subscribe: ['*'], publish: ['*', 'client:*', 'session:*'] }

const countTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1)

t.test('publishes and subscribes, also on its own channel', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient(all)
  const client = createClientOf(t, gateway, { credential }).connect()
  const got: Publication[] = []
  const subscription = client.subscribe('news', publication => got.push(publication))
  t.match(await nextEvent(client, 'subscribed'), { channel: 'news', offset: 0, recovered: false })
  const published = await client.publish('news', { a: [1] })
  t.match(published, { channel: 'news', offset: 1 })
  await until('the publication has arrived', () => got.length === 1)
  t.match(got, [{ channel: 'news', data: { a: [1] }, offset: 1, publishedAt: gateway.clock.now() }])
  t.same(subscription.position, { offset: 1, epoch: published.epoch })
  await t.rejects(client.publish('news', undefined), { code: 'INVALID_MESSAGE', path: 'data' })
  await t.rejects(client.publish('no good', 1), { code: 'INVALID_CHANNEL' })
  const once = await client.publish('d', 1, { idempotencyKey: 'k' })
  t.match(await client.publish('d', 1, { idempotencyKey: 'k' }), { ...once, duplicate: true })

  const direct = nextEvent(client, 'direct')
  await client.publish(`client:${credential.clientId}`, 'you')
  t.match(await direct, { channel: `client:${credential.clientId}`, data: 'you' })
  const own: unknown[] = []
  const ownSubscription = client.subscribe(`client:${credential.clientId}`, ({ data }) => own.push(data))
  await client.publish(`client:${credential.clientId}`, 'there')
  await until('the handler has received it', () => own.length === 1)
  ownSubscription.unsubscribe()
  const again = nextEvent(client, 'direct')
  await client.publish(`client:${credential.clientId}`, 'still connected')
  t.match(await again, { data: 'still connected' })
})

t.test('delivers each publication once across lost connections', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient(all)
  const client = createClientOf(t, gateway, { credential }).connect()
  const got: number[] = []
  const direct: unknown[] = []
  const missed: unknown[] = []
  client.on('missed', event => missed.push(event))
  client.on('direct', ({ data }) => direct.push(data))
  client.subscribe('c', ({ offset }) => got.push(offset))
  await nextEvent(client, 'subscribed')
  const publisher = await gateway.session(await gateway.createClient(all))
  for (let round = 0; round < 3; round++) {
    const reconnected = nextEvent(client, 'welcome')
    for (const socket of gateway.app.server.websocketServer.clients) socket.terminate()
    const wire = round === 0 ? publisher : await gateway.session(await gateway.createClient(all))
    if (round > 0) {
      for (let i = 0; i < 5; i++) await wire.ask({ type: 'publish', channel: 'c', data: i })
      await wire.ask({ type: 'publish', channel: `client:${credential.clientId}`, data: round })
    }
    await reconnected
  }
  await until('everything has arrived', () => got.length >= 10 && direct.length >= 2)
  t.same(got, countTo(10))
  t.same(direct, [1, 2])
  t.same(missed, [])
})

t.test('publishes once if the connection is lost before the answer', async t => {
  const gateway = await startGateway(t)
  const client = createClientOf(t, gateway, { credential: await gateway.createClient(all) }).connect()
  await nextEvent(client, 'welcome')
  const results = Promise.all(countTo(20).map(i => client.publish('c', i)))
  await nextEvent(client, 'frame')
  for (const socket of gateway.app.server.websocketServer.clients) socket.terminate()
  const offsets = (await results).map(({ offset }) => offset)
  t.same(
    [...offsets].sort((a, b) => a - b),
    countTo(20)
  )
  t.equal((await client.publish('c', 'next')).offset, 21)
})

t.test('misses no publication when it renews its session', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient(all)
  const ticket = async () => {
    const made = await fetch(`${gateway.url}/v1/tickets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${testAdminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ clientId: 'page', ttl: 30, subscribe: ['c'] })
    })
    // The gateway's clock stands still: each ticket would end at the same time.
    gateway.clock.advance(1000)
    return (await made.json()) as typeof credential
  }
  const { client, timers } = createManualClient(t, gateway.wsUrl, { credential: ticket })
  const got: number[] = []
  client.subscribe('c', ({ offset }) => got.push(offset))
  client.connect()
  await nextEvent(client, 'subscribed')
  const publisher = await gateway.session(credential)
  const publishing = (async () => {
    for (let i = 0; i < 100; i++) await publisher.ask({ type: 'publish', channel: 'c', data: i })
  })()
  for (let i = 0; i < 3; i++) {
    const renewed = nextEvent(client, 'subscribed')
    const heartbeat = nextEvent(client, 'frame')
    timers.advance(15_000)
    await heartbeat
    await until('the heartbeat is answered', () => !timers.running().includes(10_000))
    // A quarter of the ticket's 30 s is left.
    timers.advance(7500)
    t.match(await renewed, { recovered: true })
  }
  await publishing
  await until('everything has arrived', () => got.length >= 100)
  t.same(got, countTo(100))
})

t.test('recovers from a given position, or reports that publications were missed', async t => {
  const gateway = await startGateway(t)
  const client = createClientOf(t, gateway, {
    credential: await gateway.createClient({ ...all, subscribe: ['c', 'd'] })
  }).connect()
  const first = await client.publish('c', 1)
  await client.publish('c', 2)
  const got: unknown[] = []
  client.subscribe('c', ({ data }) => got.push(data), { recover: first })
  t.match(await nextEvent(client, 'subscribed'), { recovered: true })
  t.same(got, [2])
  const missed = nextEvent(client, 'missed')
  client.subscribe('d', () => {}, { recover: { offset: 5, epoch: 'gone' } })
  t.same(await missed, { channel: 'd' })
  const refused = nextEvent(client, 'unsubscribed')
  client.subscribe('e', () => {})
  t.same(await refused, { channel: 'e', code: 'PERMISSION_DENIED' })
})
