import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import type { PresenceChange } from '../../src/client/answers.js'
import type { CountersignClient } from '../../src/client/client.js'
import { startGateway } from '../helper/gateway.js'
import { createClientOf } from './clients.js'
import { connectToFakeGateway, sign } from './fake-gateway.js'

/** Sessions in a channel, and changes of presence. */

const all = { subscribe: ['*'], publish: ['*'], presence: ['lobby*', 'other'] }

t.test('lists the sessions in a channel, and reports joins and leaves', async t => {
  const gateway = await startGateway(t, { config: { presence: ['lobby'] } })
  const connect = async (permissions: object = all): Promise<CountersignClient> =>
    createClientOf(t, gateway, {
      credential: await gateway.createClient(permissions),
      attributes: { n: '1' }
    }).connect()
  /** Lets the gateway write and read who is present, as it does by itself with time. */
  const untilSeen = async (isSeen: () => boolean) => {
    for (let i = 0; i < 200 && !isSeen(); i++) {
      gateway.clock.advance(1000)
      await gateway.app.tick()
      await setTimeout(5)
    }
  }
  const watcher = await connect()
  const changes: PresenceChange[] = []
  const received: unknown[] = []
  const subscription = watcher.subscribe('lobby', ({ data }) => received.push(data), {
    onPresence: change => changes.push(change)
  })
  await subscription.ready
  const visitor = await connect()
  const visit = visitor.subscribe('lobby', () => {})
  await visit.ready
  const { sessionId = '', clientId = '' } = visitor.session ?? {}
  await untilSeen(() => changes.length > 0)
  t.same(changes, [{ channel: 'lobby', count: 2, joined: [{ sessionId, clientId }], left: [] }])
  const { count, sessions } = await watcher.presence('lobby')
  t.equal(count, 2)
  t.same(
    sessions.find(session => session.sessionId === sessionId),
    { sessionId, clientId, attributes: { n: '1' } }
  )
  t.match(await watcher.presence('lobby', { limit: 0 }), { count: 2, sessions: [] })
  visit.unsubscribe()
  await untilSeen(() => changes.length > 1)
  t.match(changes[1], { count: 1, joined: [], left: [{ sessionId, clientId }] })
  await visitor.publish('lobby', 'still joined')
  await watcher.heartbeat()
  t.same(received, ['still joined'])
  subscription.unsubscribe()

  await t.rejects(watcher.presence('secret'), { code: 'PERMISSION_DENIED' })
  await t.rejects(watcher.presence('other'), { code: 'INVALID_CHANNEL' })
  await t.rejects(watcher.presence('lobby', { limit: 101 }), { code: 'INVALID_MESSAGE', path: 'limit' })
  const narrow = await connect({ subscribe: ['*'] })
  const refused = narrow.subscribe('lobby', () => {}, { presence: true })
  narrow.on('trouble', () => {})
  await t.rejects(refused.ready, { code: 'PERMISSION_DENIED' })
  t.throws(() => watcher.subscribe('lobby', () => {}, { onPresence: 1 as unknown as () => void }), TypeError)
})

t.test('errors of onPresence are reported, and it does not run after unsubscribe', async t => {
  const { client, socket, receive } = await connectToFakeGateway(t)
  const faults: string[] = []
  client.on('error', ({ source }) => faults.push(source))
  let calls = 0
  const subscription = client.subscribe('c', () => {}, {
    onPresence: () => {
      calls++
      throw new Error('mine')
    }
  })
  const { seq, presence } = JSON.parse(await receive())
  t.equal(presence, true)
  const changed = { type: 'presenceChanged', channel: 'c', count: 1, joined: [], left: [] }
  socket.send(sign({ type: 'subscribed', seq: 2, re: seq, channel: 'c', offset: 0, epoch: 'e', recovered: false }))
  socket.send(sign({ ...changed, seq: 3 }))
  socket.send(sign({ type: 'ping', seq: 4 }))
  await receive()
  t.same([calls, faults], [1, ['channel:c']])
  subscription.unsubscribe()
  await receive()
  socket.send(sign({ ...changed, seq: 5 }))
  socket.send(sign({ type: 'ping', seq: 6 }))
  await receive()
  t.equal(calls, 1)
})
