import { once } from 'node:events'
import t from 'tap'
import type { ClientEvents } from '../../src/client/options.js'
import { startGateway } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { createClientOf, createManualClient, nextEvent } from './clients.js'
import { acceptSession, connectToFakeGateway, sign, startFakeGateway } from './fake-gateway.js'

/** The connection continues whatever the application's listeners and handlers do. */

const all = { subscribe: ['*'], publish: ['*'] }
const fail = (): never => {
  throw new Error('mine')
}

t.test('bug: a handler that throws dropped the connection once per message, silently', async t => {
  const gateway = await startGateway(t)
  const client = createClientOf(t, gateway, { credential: await gateway.createClient(all) }).connect()
  const faults: ClientEvents['error'][] = []
  const received: unknown[] = []
  client.on('error', fault => faults.push(fault))
  client.on('lost', () => t.fail('the session was lost'))
  const failing = client.subscribe('chat', fail)
  client.subscribe('chat', async () => fail())
  client.subscribe('chat', ({ data }) => received.push(data))
  await failing.ready
  for (const n of [1, 2, 3]) await client.publish('chat', n)
  await until('each handler has failed three times', () => faults.length === 6)
  t.same(received, [1, 2, 3], 'another handler gets every publication')
  t.match(faults[0], { error: { message: 'mine' }, source: 'channel:chat' })
  t.equal(failing.position?.offset, 3)
})

t.test('bug: a `state` listener that throws ended in a dead client or an endless loop', async t => {
  const gateway = await startFakeGateway(t)
  const { client, faults, timers } = createManualClient(t, gateway.url)
  const states: string[] = []
  for (const name of ['state', 'welcome', 'lost', 'frame', 'trouble'] as const) client.on(name, fail)
  client.on('state', state => states.push(state))
  client.connect()
  const { socket } = await acceptSession(gateway)
  await until('it is connected', () => client.state === 'connected')
  const lost = nextEvent(client, 'lost')
  socket.terminate()
  await lost
  timers.advance(250)
  await acceptSession(gateway)
  await until('it is connected again', () => states.length === 4)
  t.same(states, ['connecting', 'connected', 'connecting', 'connected'])
  t.ok(
    ['listener:state', 'listener:welcome', 'listener:lost'].every(name => faults.some(({ source }) => source === name))
  )
})

t.test('an `error` listener that throws is reported, without a loop', async t => {
  const { client, socket, faults } = await connectToFakeGateway(t)
  client.on('error', fail)
  client.on('lost', fail)
  socket.terminate()
  await nextEvent(client, 'lost')
  t.match(faults, [{ source: 'listener:error' }])
  t.equal(faults.length, 1)
})

t.test('listeners run after the state has changed, and may call the client', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient(all)
  const client = createClientOf(t, gateway, { credential })
  const seen: unknown[] = []
  client.once('state', state => seen.push([state, client.state]))
  const ready = new Promise<void>(resolve => {
    client.on('welcome', ({ sessionId }) => {
      t.match(client.session, { sessionId, clientId: credential.clientId, limits: { dataBytes: 32_768 } })
      client
        .subscribe('c', () => client.close())
        .ready.then(() => client.publish('c', 1))
        .catch(fail)
      resolve()
    })
  })
  client.connect()
  await ready
  await until('the handler has closed it', () => client.state === 'disconnected')
  t.same(seen, [['connecting', 'connecting']])
  t.equal(client.session, undefined)
})

t.test('once and off', async t => {
  const { client, socket } = await connectToFakeGateway(t)
  const calls: string[] = []
  const removed = () => calls.push('removed')
  client.on('frame', removed)
  client.once('frame', () => calls.push('once'))
  client.off('frame', removed)
  client.on('frame', () => calls.push('on'))()
  for (const seq of [2, 3]) {
    const frame = nextEvent(client, 'frame')
    socket.send(sign({ type: 'unknownType', seq }))
    await frame
  }
  t.same(calls, ['once'])
})

t.test('bug: `off` did not remove a listener of `once`', async t => {
  const { client } = createManualClient(t, 'ws://127.0.0.1:1')
  const states: string[] = []
  const listener = (state: string) => states.push(state)
  client.once('state', listener)
  client.off('state', listener)
  client.connect()
  t.same(states, [])
  const remove = client.once('state', listener)
  client.on('state', listener)
  remove()
  await client.close()
  t.same(states, ['disconnected'], 'the function that `once` returns leaves the one of `on`')
})

t.test('bug: a listener of an unknown event was silently never called', async t => {
  const { client } = createManualClient(t, 'ws://127.0.0.1:1')
  const on = client.on.bind(client) as (name: string, listener: () => void) => unknown
  t.throws(() => on('message', fail), { name: 'TypeError', message: /^no event message: there are state, welcome, / })
  t.throws(() => on('toString', fail), TypeError)
})

t.test('no handler runs after unsubscribe, not even for publications that have already arrived', async t => {
  const { client, socket, receive } = await connectToFakeGateway(t)
  const received: string[] = []
  const first = client.subscribe('c', ({ data }) => {
    received.push(`first ${data}`)
    second.unsubscribe()
    if (data === 2) first.unsubscribe()
  })
  const second = client.subscribe('c', ({ data }) => received.push(`second ${data}`))
  const { seq } = JSON.parse(await receive())
  const publications = [2, 3].map(offset => ({ offset, data: offset, publishedAt: 0 }))
  const publication = { channel: 'c', epoch: 'e', data: 1, publishedAt: 0 }
  socket.send(sign({ type: 'subscribed', seq: 2, re: seq, channel: 'c', offset: 0, epoch: 'e', recovered: false }))
  socket.send(sign({ type: 'publication', seq: 3, ...publication, offset: 1 }))
  for (const [i, each] of publications.entries())
    socket.send(sign({ type: 'publication', seq: 4 + i, ...publication, ...each }))
  t.match(await receive(), /"type":"unsubscribe"/)
  t.same(received, ['first 1', 'first 2'])
  socket.close()
  await once(socket, 'close')
})
