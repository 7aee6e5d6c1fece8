import t from 'tap'
import type { Subscription } from '../../src/client/options.js'
import { startGateway } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { createClientOf, createManualClient, nextEvent } from './clients.js'
import { connectToFakeGateway, sign } from './fake-gateway.js'

/** Several handlers for a channel. */

const all = { subscribe: ['*'], publish: ['*'] }

/** Why `ready` has rejected by now. */
function failureOf({ ready }: Subscription): Promise<unknown> {
  const pending = new Promise(resolve => setImmediate(() => resolve('pending')))
  return Promise.race([ready.catch((error: unknown) => error), pending])
}

t.test('bug: two components could not share a channel', async t => {
  const gateway = await startGateway(t)
  const client = createClientOf(t, gateway, { credential: await gateway.createClient(all) })
  const up: string[] = []
  client.on('frame', ({ direction, text }) => direction === 'up' && up.push(JSON.parse(text).type))
  const received: string[] = []
  const first = client.subscribe<number>('c', ({ data }) => received.push(`a${data}`))
  client.connect()
  t.match(await first.ready, { offset: 0, recovered: false })
  await client.publish('c', 1)
  const second = client.subscribe<number>('c', ({ data }) => received.push(`b${data}`))
  t.match(await second.ready, { offset: 1 }, 'at the position of the channel')
  await client.publish('c', 2)
  first.unsubscribe()
  first.unsubscribe()
  await client.publish('c', 3)
  await until('all have arrived', () => received.length === 4)
  t.same(received, ['a1', 'a2', 'b2', 'b3'])
  t.equal(up.filter(type => type === 'unsubscribe').length, 0)
  t.match([first.position?.offset, second.position?.offset], [2, 3])
  second.unsubscribe()
  await client.publish('c', 4)
  t.same(
    up.filter(type => /subscribe/.test(type)),
    ['subscribe', 'unsubscribe'],
    'left with the last one'
  )
  t.equal(received.length, 4)
})

t.test('a handler of a joined channel may start earlier, and the others get nothing twice', async t => {
  const gateway = await startGateway(t)
  const client = createClientOf(t, gateway, { credential: await gateway.createClient(all) })
  client.connect()
  const { offset, epoch } = await client.publish('c', 1)
  for (const n of [2, 3]) await client.publish('c', n)
  const late: unknown[] = []
  const early: unknown[] = []
  await client.subscribe('c', ({ data }) => late.push(data)).ready
  await client.publish('c', 4)
  const subscription = client.subscribe('c', ({ data }) => early.push(data), { recover: { offset, epoch } })
  const publishing = client.publish('c', 5)
  t.match(await subscription.ready, { recovered: true })
  await publishing
  await client.publish('c', 6)
  await until('all have arrived', () => early.length === 5 && late.length === 3)
  t.same(
    [late, early],
    [
      [4, 5, 6],
      [2, 3, 4, 5, 6]
    ]
  )

  const missed = nextEvent(client, 'missed')
  const gone = client.subscribe('c', ({ data }) => early.push(`gone ${data}`), {
    recover: { offset: 1, epoch: 'gone' }
  })
  t.match(await gone.ready, { recovered: false, offset: 6 })
  t.same(await missed, { channel: 'c' })
  await client.publish('c', 7)
  await until('it goes on', () => early.includes('gone 7'))
})

t.test('handlers with different positions survive lost connections', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient(all)
  const client = createClientOf(t, gateway, { credential })
  const publisher = await gateway.session(await gateway.createClient(all))
  const answer = await publisher.ask({ type: 'publish', channel: 'c', data: 1 })
  await publisher.ask({ type: 'publish', channel: 'c', data: 2 })
  const live: unknown[] = []
  const all1: unknown[] = []
  client.subscribe('c', ({ data }) => live.push(data))
  client.subscribe('c', ({ data }) => all1.push(data), { recover: { offset: 0, epoch: String(answer['epoch']) } })
  client.connect()
  await nextEvent(client, 'subscribed')
  await until('the second handler has caught up', () => all1.length === 2)
  for (const socket of gateway.app.server.websocketServer.clients) socket.terminate()
  await nextEvent(client, 'welcome')
  await client.publish('c', 3)
  await until('both have it', () => all1.includes(3) && live.includes(3))
  t.same(all1, [1, 2, 3])
})

t.test('rejects a channel that is refused for all its handlers, and refuses no function', async t => {
  const gateway = await startGateway(t)
  const client = createClientOf(t, gateway, { credential: await gateway.createClient({ subscribe: ['a'] }) }).connect()
  client.on('trouble', () => {})
  const [first, second] = [client.subscribe('x', () => {}), client.subscribe('x', () => {})]
  await t.rejects(first.ready, {
    name: 'RequestError',
    code: 'PERMISSION_DENIED',
    message: 'PERMISSION_DENIED for channel x: subscribe: no permission for channel x'
  })
  await t.rejects(second.ready, { code: 'PERMISSION_DENIED' })
  const left = client.subscribe('a', () => {})
  left.unsubscribe()
  await t.rejects(left.ready, { code: 'CLOSED' })
  t.throws(() => client.subscribe('a', undefined as unknown as () => void), TypeError)
})

t.test('bug: `ready` stayed pending for ever after the client had stopped', async t => {
  const { client, receive, socket } = await connectToFakeGateway(t)
  const subscription = client.subscribe('c', () => {})
  t.match(await receive(), /"type":"subscribe"/)
  const stopped = nextEvent(client, 'stopped')
  socket.send(sign({ type: 'error', seq: 2, code: 'SESSION_REVOKED', message: 'the key was revoked' }))
  await stopped
  t.match(await failureOf(subscription), {
    name: 'RequestError',
    code: 'SESSION_REVOKED',
    message: 'the key was revoked'
  })
  const late = client.subscribe('d', () => {})
  await client.close()
  t.match(await failureOf(late), { code: 'CLOSED', outcome: 'unsent' }, 'subscribed after the end')
})

t.test('bug: `ready` stayed pending for ever if the client was closed without `connect`', async t => {
  const { client } = createManualClient(t, 'ws://127.0.0.1:1')
  const subscription = client.subscribe('c', () => {})
  await client.close()
  t.match(await failureOf(subscription), { code: 'CLOSED', outcome: 'unsent' })
})

t.test('bug: the reason of the gateway why a channel is refused was lost', async t => {
  const { client, receive, socket } = await connectToFakeGateway(t)
  const trouble = nextEvent(client, 'trouble')
  const { ready } = client.subscribe('c128', () => {})
  const { seq } = JSON.parse(await receive())
  const message = 'subscribe: the session has joined 128 channels, which is the limit'
  socket.send(sign({ type: 'error', seq: 2, re: seq, code: 'PERMISSION_DENIED', message }))
  const reason = `PERMISSION_DENIED for channel c128: ${message}`
  await t.rejects(ready, { code: 'PERMISSION_DENIED', message: reason })
  t.match(await trouble, { reason })
})
