import { once } from 'node:events'
import t from 'tap'
import { startGateway } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { createClientOf, createManualClient, nextEvent } from './clients.js'
import { acceptSession, challenge, connectToFakeGateway, sign, startFakeGateway } from './fake-gateway.js'

/** Live sessions and their attributes. */

t.test('lists the live sessions of a client with their attributes', async t => {
  const gateway = await startGateway(t)
  const server = createClientOf(t, gateway, {
    credential: await gateway.createClient({ clientId: 'game' }),
    attributes: { players: '0' }
  })
  const open = nextEvent(server, 'welcome')
  server.connect()
  const { sessionId } = await open
  const panel = createClientOf(t, gateway, {
    credential: await gateway.createClient({ call: ['game/kick'] })
  }).connect()
  const { sessions, next } = await panel.sessions('game')
  t.match(sessions, [{ sessionId, clientId: 'game', transport: 'ws', attributes: { players: '0' } }])
  t.equal(sessions.length, 1)
  t.equal(next, undefined)
  await server.setAttributes({ players: '7' })
  t.match((await panel.sessions('game', { limit: 1 })).sessions, [{ attributes: { players: '7' } }])

  const reopened = nextEvent(server, 'welcome')
  for (const socket of gateway.app.server.websocketServer.clients) socket.terminate()
  await reopened
  t.match((await panel.sessions('game')).sessions, [{ attributes: { players: '7' } }], 'also in the next session')
  await t.rejects(panel.sessions('other'), { code: 'PERMISSION_DENIED' })
  await t.rejects(panel.sessions('no good'), { code: 'INVALID_MESSAGE', path: 'clientId' })
})

t.test('attributes that no session accepted in time are sent in the next one', async t => {
  const { client, gateway, socket, receive, timers } = await connectToFakeGateway(t, {}, { attributes: { n: '1' } })
  client.on('trouble', () => {})
  const set = client.setAttributes({ n: '2' }, { timeoutMs: 100 })
  t.match(JSON.parse(await receive()), { type: 'attributes', attributes: { n: '2' } })
  timers.advance(100)
  await t.rejects(set, { code: 'TIMEOUT', outcome: 'unknown' })
  socket.terminate()
  await once(socket, 'close')
  await until('it is lost', () => client.state === 'connecting')
  timers.advance(1000)
  const next = await acceptSession(gateway)
  const { seq, ...message } = JSON.parse(await next.receive())
  t.match(message, { type: 'attributes', attributes: { n: '2' } })
  next.socket.send(sign({ type: 'ack', seq: 2, re: seq }))
  await until('it is acknowledged', () => true)
})

t.test('a handshake has no attributes that the gateway refused', async t => {
  const { client, gateway, socket, receive, timers } = await connectToFakeGateway(t, {}, { attributes: { n: '1' } })
  client.on('trouble', () => {})
  const set = client.setAttributes({ n: '2' })
  const { seq } = JSON.parse(await receive())
  socket.send(sign({ type: 'error', seq: 2, re: seq, code: 'INVALID_MESSAGE', message: 'with those of the ticket' }))
  await t.rejects(set, { code: 'INVALID_MESSAGE' })
  socket.terminate()
  await once(socket, 'close')
  await until('it is lost', () => client.state === 'connecting')
  timers.advance(1000)
  const connection = await gateway.accept()
  connection.socket.send(challenge)
  t.match(JSON.parse(await connection.receive()), { type: 'authenticate', attributes: { n: '1' } })
})

t.test('attributes may be set before the first session, and are checked', async t => {
  const { client, timers } = createManualClient(t, 'ws://127.0.0.1:1')
  await client.setAttributes({ n: '1' })
  t.same(timers.running(), [])
  const tooMany = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`n${i}`, '']))
  for (const attributes of [tooMany, { n: 'x'.repeat(129) }, { n: 1 as unknown as string }]) {
    await t.rejects(client.setAttributes(attributes), { code: 'INVALID_MESSAGE', path: 'attributes' })
    t.throws(() => createManualClient(t, 'ws://127.0.0.1:1', { attributes }), { code: 'INVALID_MESSAGE' })
  }
})

t.test('bug: setAttributes without an object removed all attributes', async t => {
  const { client } = createManualClient(t, 'ws://127.0.0.1:1')
  for (const attributes of [undefined, null, ['a'], 'text', 5] as unknown as Record<string, string>[]) {
    await t.rejects(client.setAttributes(attributes), { code: 'INVALID_MESSAGE', path: 'attributes' })
  }
})

t.test('bug: a later change of the options changed the attributes of the next handshake', async t => {
  const attributes: Record<string, string> = { n: '1' }
  const gateway = await startFakeGateway(t)
  const { client } = createManualClient(t, gateway.url, { attributes })
  attributes['n'] = 'x'.repeat(200)
  client.connect()
  const { socket, receive } = await gateway.accept()
  socket.send(challenge)
  t.match(JSON.parse(await receive()), { type: 'authenticate', attributes: { n: '1' } })
})
