import t from 'tap'
import type { Publication } from '../../src/client/options.js'
import { type Gateway, startGateway } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { createClientOf, createManualClient, nextEvent } from './clients.js'
import { acceptSession, connectToFakeGateway, sign, startFakeGateway } from './fake-gateway.js'

/** `close()` sends what was accepted before, then `bye`, within its bounds. */

const all = { subscribe: ['*'], publish: ['*'] }
const settled = () => new Promise(resolve => setImmediate(resolve))

t.test('resolves when bye is acknowledged, after the answers to sent requests', async t => {
  const gateway = await startGateway(t)
  const client = createClientOf(t, gateway, { credential: await gateway.createClient(all) })
  const open = nextEvent(client, 'welcome')
  client.connect()
  await open
  client.on('lost', () => t.fail('lost after close'))
  const published = client.publish('c', 1)
  const closed = client.close()
  t.equal(client.state, 'disconnected', 'at once')
  await closed
  t.match(await published, { offset: 1 })
  await until('the gateway has no session', () => gateway.app.sessionCount() === 0)
  t.equal(client.close(), closed, 'a second close is the same')
  await t.rejects(client.heartbeat(), { code: 'CLOSED', outcome: 'unsent' })
})

t.test('resolves after 2 s without an answer to bye', async t => {
  const { client, timers, receive } = await connectToFakeGateway(t)
  let isClosed = false
  const failure = client.publish('c', 1).catch((error: unknown) => error)
  client.close().then(() => {
    isClosed = true
  }, t.fail)
  await receive()
  t.match(await receive(), /"type":"bye"/)
  timers.advance(1999)
  await settled()
  t.equal(isClosed, false)
  timers.advance(1)
  t.match(await failure, { code: 'CLOSED', outcome: 'unknown' })
  t.equal(isClosed, true)
  t.same(timers.running(), [])
})

t.test('sends requests accepted without a session, if one opens within 5 s', async t => {
  const gateway = await startFakeGateway(t)
  const { client, timers } = createManualClient(t, gateway.url)
  client.connect()
  client.on('welcome', () => t.fail('an event after close'))
  const published = client.publish('c', 1)
  const closed = client.close()
  const { socket, receive } = await acceptSession(gateway)
  const { seq } = JSON.parse(await receive())
  t.match(JSON.parse(await receive()), { type: 'bye', seq: seq + 1 })
  socket.send(sign({ type: 'published', seq: 2, re: seq, channel: 'c', offset: 1, epoch: 'e' }))
  socket.send(sign({ type: 'ack', seq: 3, re: seq + 1 }))
  t.match(await published, { offset: 1 })
  await closed
  t.same(timers.running(), [])
})

t.test('requests that cannot be sent within 5 s fail as unsent', async t => {
  const { client, timers } = createManualClient(t, 'ws://127.0.0.1:1', { credential: () => new Promise(() => {}) })
  client.connect()
  const failure = client.publish('c', 1).catch((error: unknown) => error)
  const joined = client.subscribe('c', () => {}).ready.catch((error: unknown) => error)
  const closed = client.close()
  timers.advance(5000)
  t.match(await failure, { code: 'CLOSED', outcome: 'unsent' })
  t.match(await joined, { code: 'CLOSED' })
  await closed
})

t.test('a close without anything to send is over at once, and a new connect is independent of it', async t => {
  const gateway = await startGateway(t)
  const client = createClientOf(t, gateway, { credential: await gateway.createClient(all) })
  await client.close()
  client.connect()
  await client.close()
  const received: unknown[] = []
  client.subscribe('c', ({ data }) => received.push(data))
  client.connect()
  await nextEvent(client, 'subscribed')
  client.close()
  client.connect()
  await nextEvent(client, 'subscribed')
  await client.publish('c', 'again')
  await until('the handler has it', () => received.length === 1)
})

/** Publishes 1, 2 and 3 to a channel. */
async function publishThree(gateway: Gateway, channel: string): Promise<void> {
  for (const data of [1, 2, 3]) await gateway.publish({ channel, data })
}

t.test('bug: publications that had arrived when a handler closed the client never reached it', async t => {
  const gateway = await startGateway(t)
  const client = createClientOf(t, gateway, { credential: await gateway.createClient(all) })
  const received: string[] = []
  const record = (name: string) => (publication: Publication) => {
    received.push(`${name} ${publication.data}`)
    if (received.length === 1) client.close()
  }
  await publishThree(gateway, 'c')
  client.subscribe('c', record('newest'), { last: 2 })
  client.subscribe('c', record('other'))
  client.connect()
  await until('a handler has closed it', () => client.state === 'disconnected' && received.length > 0)
  await client.close()
  t.same(received, ['newest 2'], 'nothing runs after close')
  await gateway.publish({ channel: 'c', data: 4 })
  client.connect()
  await until('the rest has arrived', () => received.includes('other 4') && received.includes('newest 4'))
  t.same(
    received.filter(each => each.startsWith('newest')),
    ['newest 2', 'newest 3', 'newest 4']
  )
})

t.test('bug: publications on an own channel that had arrived when a listener closed the client were lost', async t => {
  const gateway = await startGateway(t)
  const client = createClientOf(t, gateway, { credential: await gateway.createClient({ clientId: 'page' }) })
  const received: unknown[] = []
  client.connect()
  await nextEvent(client, 'welcome')
  await client.close()
  await publishThree(gateway, 'client:page')
  client.on('direct', ({ data }) => {
    received.push(data)
    if (data === 1) client.close()
  })
  client.connect()
  await until('a listener has closed it', () => client.state === 'disconnected' && received.length > 0)
  await client.close()
  t.same(received, [1])
  client.connect()
  await until('the rest has arrived', () => received.length === 3)
  t.same(received, [1, 2, 3])
})

t.test('bug: a loss was not reported if an earlier listener closed the client', async t => {
  const gateway = await startGateway(t)
  const client = createClientOf(t, gateway, { credential: await gateway.createClient(all) })
  const missed: string[] = []
  client.on('subscribed', () => void client.close())
  client.on('missed', ({ channel }) => missed.push(channel))
  client.subscribe('c', () => {}, { recover: { offset: 7, epoch: 'of-another-life' } })
  client.connect()
  await until('it is reported', () => missed.length > 0)
  t.same(missed, ['c'])
})

t.test('a channel handler may wait for close', async t => {
  const gateway = await startGateway(t)
  const client = createClientOf(t, gateway, { credential: await gateway.createClient(all) }).connect()
  const closed = new Promise<void>(resolve => {
    client.subscribe('c', async () => {
      await client.close()
      resolve()
    })
  })
  await nextEvent(client, 'subscribed')
  await client.publish('c', 1).catch(() => {})
  await closed
  t.equal(gateway.app.sessionCount(), 0)
})
