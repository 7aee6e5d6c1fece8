import t, { type Test } from 'tap'
import { ClientChannels, maxHeld } from '../../src/client/channels.js'
import { CountersignClient } from '../../src/client/client.js'
import { createClient } from '../../src/client/node.js'
import type { ClientEvents, Publication, Welcome } from '../../src/client/options.js'
import { openNodeSocket } from '../../src/client/socket-node.js'
import { createNodeMac } from '../../src/protocol/mac-node.js'
import { type Gateway, startGateway, testAdminToken } from '../helper/gateway.js'
import { createTimers } from '../helper/timers.js'
import { until } from '../helper/until.js'

const all = { subscribe: ['*'], publish: ['*', 'client:*', 'session:*'] }

// ── By itself ────────────────────────────────────────────────────────────────────────────────────────────────────────

type Sent = { type: string; channel?: unknown; recover?: unknown }

function alone() {
  const sent: Sent[] = []
  const told: [string, unknown][] = []
  const pauses: number[] = []
  const state = { connected: true }
  const channels = new ClientChannels({
    send(message) {
      if (!state.connected) return undefined
      sent.push(message)
      return sent.length
    },
    emit: (name, event) => void told.push([name, event]),
    askAgainIn: ms => void pauses.push(ms)
  })
  const got: number[] = []
  const publication = (offset: number, epoch = 'e') =>
    channels.receive({ type: 'publication', seq: 1, channel: 'c', offset, epoch, data: offset, publishedAt: 0 })
  /** Answers the newest subscribe. */
  const subscribed = (offset: number, recovered = false, publications: number[] = [], epoch = 'e') =>
    channels.receive({
      ...{ type: 'subscribed', seq: 1, re: sent.length, channel: 'c', offset, epoch, recovered },
      publications: publications.map(each => ({ offset: each, data: each, publishedAt: 0 }))
    })
  const subscribe = () => channels.subscribe('c', ({ offset }) => got.push(offset), undefined)
  const welcome = { subscriptions: [] } as unknown as Welcome
  return { channels, sent, told, pauses, state, got, publication, subscribed, subscribe, welcome }
}

t.test('the next publication is handed over, an old one dropped, a hole asked for', async t => {
  const { sent, told, got, publication, subscribed, subscribe } = alone()
  subscribe()
  t.same(sent, [{ type: 'subscribe', channel: 'c' }])
  subscribed(4)
  for (const offset of [4, 5, 5, 3, 6]) publication(offset)
  t.same(got, [5, 6])
  publication(8)
  publication(9)
  t.same(sent.slice(1), [{ type: 'subscribe', channel: 'c', recover: { offset: 6, epoch: 'e' } }])
  t.same(got, [5, 6], 'held until it is answered')
  subscribed(8, true, [7, 8])
  publication(10)
  t.same(got, [5, 6, 7, 8, 9, 10])
  t.same(
    told.map(([name]) => name),
    ['subscribed', 'subscribed']
  )
})

t.test('what does not fit into `subscribed` follows it', async t => {
  const { got, publication, subscribed, subscribe } = alone()
  subscribe()
  subscribed(1)
  publication(5)
  subscribed(2, true, [2])
  for (const offset of [3, 4, 5, 6]) publication(offset)
  t.same(got, [2, 3, 4, 5, 6])
})

t.test('another epoch is a loss, and is told where it cannot be made up for', async t => {
  const { sent, told, got, publication, subscribed, subscribe } = alone()
  const subscription = subscribe()
  subscribed(3)
  publication(1, 'new')
  t.match(sent.at(-1), { recover: { offset: 3, epoch: 'e' } })
  subscribed(1, false, [], 'new')
  t.same(told.slice(1), [
    ['subscribed', { channel: 'c', offset: 1, epoch: 'new', recovered: false }],
    ['missed', { channel: 'c' }]
  ])
  publication(2, 'new')
  t.same(got, [2])
  t.same(subscription.position, { offset: 2, epoch: 'new' })
})

t.test('a new session joins all again, from where it was', async t => {
  const { channels, sent, got, state, publication, subscribed, subscribe, welcome } = alone()
  state.connected = false
  const subscription = subscribe()
  t.same(sent, [])
  state.connected = true
  channels.restart(welcome)
  subscribed(7)
  channels.restart(welcome)
  t.same(sent, [
    { type: 'subscribe', channel: 'c' },
    { type: 'subscribe', channel: 'c', recover: { offset: 7, epoch: 'e' } }
  ])
  subscribed(8, true, [8])
  t.same(got, [8])
  subscription.unsubscribe()
  subscription.unsubscribe()
  t.same(sent.slice(2), [{ type: 'unsubscribe', channel: 'c' }])
  publication(9)
  channels.restart(welcome)
  t.same(got, [8])
  t.equal(sent.length, 3)
})

t.test('an answer to an earlier subscribe is not taken for one to this', async t => {
  const { channels, sent, got, publication, subscribe, subscribed } = alone()
  subscribe().unsubscribe()
  subscribe()
  const answer = { type: 'subscribed' as const, seq: 1, channel: 'c', offset: 4, epoch: 'e', recovered: false }
  channels.receive({ ...answer, re: 1 })
  publication(5)
  t.equal(sent.length, 3)
  subscribed(5)
  publication(6)
  t.same(got, [6])
})

t.test('refusals: for good, or for now', async t => {
  const { channels, sent, told, pauses, subscribe, subscribed, publication, got } = alone()
  subscribe()
  t.notOk(channels.fail(99, 'UNAVAILABLE'), 'an answer to something else')
  t.notOk(channels.fail(undefined, 'UNAVAILABLE'))
  t.ok(channels.fail(1, 'UNAVAILABLE', 700))
  t.ok(!channels.fail(1, 'UNAVAILABLE'))
  channels.askAgain()
  t.ok(channels.fail(2, 'RATE_LIMITED'))
  t.same(pauses, [700, 1000])
  channels.askAgain()
  subscribed(1)
  channels.receive({ type: 'unsubscribed', seq: 1, channel: 'c', code: 'INSUFFICIENT_STATE' })
  t.match(sent.at(-1), { type: 'subscribe', recover: { offset: 1, epoch: 'e' } })
  publication(3)
  subscribed(2, true, [2])
  t.same(got, [2, 3])
  channels.receive({ type: 'unsubscribed', seq: 1, channel: 'c', code: 'PERMISSION_DENIED' })
  channels.receive({ type: 'unsubscribed', seq: 1, channel: 'c', code: 'PERMISSION_DENIED' })
  t.same(told.at(-1), ['unsubscribed', { channel: 'c', code: 'PERMISSION_DENIED' }])
  const asked = sent.length
  channels.askAgain()
  t.equal(sent.length, asked)
  subscribe()
  t.ok(channels.fail(sent.length, 'INVALID_CHANNEL'))
  t.same(told.filter(([name]) => name === 'unsubscribed').length, 2)
})

t.test('what is held has a bound, and what is beyond it is asked for when it shows', async t => {
  const { sent, got, publication, subscribed, subscribe } = alone()
  subscribe()
  subscribed(0)
  for (let i = 2; i <= maxHeld + 5; i++) publication(i)
  subscribed(1, true, [1])
  t.equal(got.length, maxHeld + 1)
  publication(maxHeld + 6)
  t.match(sent.at(-1), { recover: { offset: maxHeld + 1 } })
})

t.test('a handler may leave while it is told', async t => {
  const { channels, subscribed, sent } = alone()
  const got: number[] = []
  const subscription = channels.subscribe(
    'c',
    ({ offset }) => {
      got.push(offset)
      subscription.unsubscribe()
    },
    { offset: 0, epoch: 'e' }
  )
  subscribed(2, true, [1, 2])
  t.same(got, [1])
  t.equal(sent.length, 2)
  t.throws(() => [1, 2].map(() => channels.subscribe('d', () => {}, undefined)), /already/)
})

// ── Against a gateway ────────────────────────────────────────────────────────────────────────────────────────────────

function open(t: Test, gateway: Gateway, credential: { clientId: string; keyId: string; secret: string }) {
  const client = createClient({ url: gateway.wsUrl, credential })
  t.teardown(() => client.close())
  return client.connect()
}

function next<Name extends keyof ClientEvents>(client: CountersignClient, name: Name): Promise<ClientEvents[Name]> {
  return new Promise(resolve => {
    const off = client.on(name, value => {
      off()
      resolve(value)
    })
  })
}

const countTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1)

t.test('publish and subscribe, and what is said to one', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient(all)
  const client = open(t, gateway, credential)
  const got: Publication[] = []
  const subscription = client.subscribe('news', publication => got.push(publication))
  t.match(await next(client, 'subscribed'), { channel: 'news', offset: 0, recovered: false })
  const published = await client.publish('news', { a: [1] })
  t.match(published, { channel: 'news', offset: 1 })
  await until('it came', () => got.length === 1)
  t.match(got, [{ channel: 'news', data: { a: [1] }, offset: 1, publishedAt: gateway.clock.now() }])
  t.same(subscription.position, { offset: 1, epoch: published.epoch })
  await t.rejects(client.publish('news', undefined), TypeError)
  await t.rejects(client.publish('no good', 1), { code: 'INVALID_CHANNEL' })
  const once = await client.publish('d', 1, { idempotencyKey: 'k' })
  t.match(await client.publish('d', 1, { idempotencyKey: 'k' }), { ...once, duplicate: true })

  const said = next(client, 'direct')
  await client.publish(`client:${credential.clientId}`, 'you')
  t.match(await said, { channel: `client:${credential.clientId}`, data: 'you' })
  const own: unknown[] = []
  const hears = client.subscribe(`client:${credential.clientId}`, ({ data }) => own.push(data))
  await client.publish(`client:${credential.clientId}`, 'there')
  await until('the handler has it', () => own.length === 1)
  hears.unsubscribe()
  const again = next(client, 'direct')
  await client.publish(`client:${credential.clientId}`, 'still here')
  t.match(await again, { data: 'still here' })
})

t.test('connections that break lose nothing and tell nothing twice', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient(all)
  const client = open(t, gateway, credential)
  const got: number[] = []
  const direct: unknown[] = []
  const missed: unknown[] = []
  client.on('missed', event => missed.push(event))
  client.on('direct', ({ data }) => direct.push(data))
  client.subscribe('c', ({ offset }) => got.push(offset))
  await next(client, 'subscribed')
  const publisher = await gateway.session(await gateway.createClient(all))
  for (let round = 0; round < 3; round++) {
    const back = next(client, 'welcome')
    for (const socket of gateway.app.server.websocketServer.clients) socket.terminate()
    const wire = round === 0 ? publisher : await gateway.session(await gateway.createClient(all))
    if (round > 0) {
      for (let i = 0; i < 5; i++) await wire.ask({ type: 'publish', channel: 'c', data: i })
      await wire.ask({ type: 'publish', channel: `client:${credential.clientId}`, data: round })
    }
    await back
  }
  await until('all have come', () => got.length >= 10 && direct.length >= 2)
  t.same(got, countTo(10))
  t.same(direct, [1, 2])
  t.same(missed, [])
})

t.test('a publish whose connection breaks is published once', async t => {
  const gateway = await startGateway(t)
  const client = open(t, gateway, await gateway.createClient(all))
  await next(client, 'welcome')
  const asked = Promise.all(countTo(20).map(i => client.publish('c', i)))
  await next(client, 'frame')
  for (const socket of gateway.app.server.websocketServer.clients) socket.terminate()
  const offsets = (await asked).map(({ offset }) => offset)
  t.same(
    [...offsets].sort((a, b) => a - b),
    countTo(20)
  )
  t.equal((await client.publish('c', 'next')).offset, 21)
})

t.test('a session that is exchanged for a new one leaves no gap', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient(all)
  const made = await fetch(`${gateway.url}/v1/tickets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${testAdminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ clientId: 'page', ttl: 30, subscribe: ['c'] })
  })
  const ticket = (await made.json()) as typeof credential
  const timers = createTimers()
  const client = new CountersignClient(
    {
      ...{ createMac: createNodeMac, openSocket: openNodeSocket, random: () => 0.5 },
      ...{ nonce: () => Math.random().toString(36).padEnd(32, 'n').replace('.', 'x'), ...timers }
    },
    { url: gateway.wsUrl, credential: ticket }
  )
  t.teardown(() => client.close())
  const got: number[] = []
  client.subscribe('c', ({ offset }) => got.push(offset))
  client.connect()
  await next(client, 'subscribed')
  const publisher = await gateway.session(credential)
  const publishing = (async () => {
    for (let i = 0; i < 100; i++) await publisher.ask({ type: 'publish', channel: 'c', data: i })
  })()
  for (let i = 0; i < 3; i++) {
    const moved = next(client, 'subscribed')
    const beat = next(client, 'frame')
    timers.advance(15_000)
    await beat
    await until('its heartbeat is answered', () => timers.running().length === 2)
    // A quarter of the ticket's 30 s is left.
    timers.advance(7500)
    t.match(await moved, { recovered: true })
  }
  await publishing
  await until('all have come', () => got.length >= 100)
  t.same(got, countTo(100))
})

t.test('a position from elsewhere: made up for, or told', async t => {
  const gateway = await startGateway(t)
  const client = open(t, gateway, await gateway.createClient({ ...all, subscribe: ['c', 'd'] }))
  const first = await client.publish('c', 1)
  await client.publish('c', 2)
  const got: unknown[] = []
  client.subscribe('c', ({ data }) => got.push(data), { recover: first })
  t.match(await next(client, 'subscribed'), { recovered: true })
  t.same(got, [2])
  const missed = next(client, 'missed')
  client.subscribe('d', () => {}, { recover: { offset: 5, epoch: 'gone' } })
  t.same(await missed, { channel: 'd' })
  const refused = next(client, 'unsubscribed')
  client.subscribe('e', () => {})
  t.same(await refused, { channel: 'e', code: 'PERMISSION_DENIED' })
})
