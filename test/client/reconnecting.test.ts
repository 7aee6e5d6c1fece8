import { once } from 'node:events'
import t from 'tap'
import { startGateway } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { createClientOf, createManualClient, nextEvent } from './clients.js'
import { acceptSession, connectToFakeGateway, sign, startFakeGateway, welcome } from './fake-gateway.js'

/** Back quickly, and a report of each cause. */

const settled = () => new Promise(resolve => setImmediate(resolve))
/** Nothing listens on this port. */
const nowhere = 'ws://127.0.0.1:1/v1/ws'

t.test('bug: a first load without a network cost a minute, and `online` was not heard', async t => {
  const { client, timers, lines, wake } = createManualClient(t, nowhere)
  client.connect()
  for (const delayMs of [250, 500, 1000, 2000]) {
    await until('the next try is scheduled', () => String(timers.running()) === String(delayMs))
    if (delayMs < 2000) timers.advance(delayMs)
  }
  t.same(lines, ['the gateway cannot be reached: ECONNREFUSED'], 'one line on the console')
  wake()
  t.same(timers.running(), [500, 2000], 'within a second, spread by jitter')
  wake()
  timers.advance(499)
  wake()
  t.same(timers.running(), [1, 1501], 'no postponement by further events')
  timers.advance(1)
  await until('it has tried', () => String(timers.running()) === '4000')
})

t.test('bug: a request without a session timed out without the cause', async t => {
  const { client, timers } = createManualClient(t, nowhere)
  client.connect()
  await until('a try has failed', () => timers.running().includes(250))
  const failure = client.publish('c', 1, { timeoutMs: 100 }).catch((error: unknown) => error)
  timers.advance(100)
  t.match(await failure, { code: 'TIMEOUT', message: /no session within 100 ms: .+ECONNREFUSED/, outcome: 'unsent' })
  client.close()
  await t.rejects(client.publish('c', 1), { code: 'CLOSED', outcome: 'unsent' })
})

t.test('bug: `lost` was reported while connected, and before any session', async t => {
  const { gateway, client, timers, socket } = await connectToFakeGateway(t, {
    expiresAt: 40_000,
    heartbeatInterval: 3000
  })
  const events: unknown[] = []
  client.on('lost', ({ reason }) => events.push(['lost', reason, client.state]))
  client.on('trouble', ({ reason, tries }) => events.push(['trouble', reason, tries, client.state]))
  timers.advance(30_000)
  for (let i = 0; i < 3; i++) {
    const renewal = await gateway.accept()
    renewal.socket.close(1001)
    await once(renewal.socket, 'close')
    await settled()
    timers.advance([250, 500, 1000][i] ?? 0)
  }
  t.same(events, [['trouble', 'the connection closed with 1001', 1, 'connected']])
  const open = nextEvent(client, 'welcome')
  await acceptSession(gateway, { sessionId: 'S'.repeat(32), expiresAt: 80_000 })
  await open
  t.equal(socket.readyState === socket.OPEN && client.state !== 'connected', false)
})

t.test('bug: three failed renewals made the loss of the session cost a minute', async t => {
  const { gateway, client, timers, socket } = await connectToFakeGateway(t, {
    expiresAt: 40_000,
    heartbeatInterval: 3000
  })
  timers.advance(30_000)
  for (let i = 0; i < 3; i++) {
    const renewal = await gateway.accept()
    renewal.socket.close(1001)
    await once(renewal.socket, 'close')
    await settled()
    if (i < 2) timers.advance([250, 500][i] ?? 0)
  }
  const lost = nextEvent(client, 'lost')
  socket.terminate()
  await lost
  t.equal(timers.running()[0], 250)
})

t.test('a cause is reported again after a session, and each cause once', async t => {
  const gateway = await startFakeGateway(t)
  const { client, timers, lines } = createManualClient(t, gateway.url)
  client.connect()
  const refuse = async (code: string) => {
    const { socket } = await gateway.accept()
    socket.send(JSON.stringify({ type: 'error', code, message: 'm' }))
    await once(socket, 'close')
    await settled()
    timers.advance(timers.running()[0] ?? 0)
  }
  for (const code of ['RATE_LIMITED', 'UNAVAILABLE', 'RATE_LIMITED', 'UNAVAILABLE']) await refuse(code)
  t.same(lines, ['RATE_LIMITED: m', 'UNAVAILABLE: m'])
  const open = nextEvent(client, 'welcome')
  const { socket } = await acceptSession(gateway)
  await open
  const lost = nextEvent(client, 'lost')
  socket.terminate()
  await lost
  timers.advance(250)
  await refuse('UNAVAILABLE')
  t.same(lines.slice(2), ['UNAVAILABLE: m'])
})

t.test('names the usual fault of a url', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient()
  for (const [url, reason] of [
    [gateway.wsUrl.replace('/v1/ws', ''), /404 \(the path of a gateway is \/v1\/ws\)$/],
    [gateway.wsUrl.replace('ws:', 'wss:'), /EPROTO \(it may have no TLS, which wss:\/\/ needs\)$/]
  ] as const) {
    const client = createClientOf(t, gateway, { credential, url })
    const trouble = nextEvent(client, 'trouble')
    client.connect()
    t.match((await trouble).reason, reason)
    await client.close()
  }
})

t.test('a denied channel is one line on the console', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient({ subscribe: ['a'] })
  const { client, lines } = createManualClient(t, gateway.wsUrl, { credential })
  client.connect()
  await t.rejects(client.subscribe('x', () => {}).ready, { code: 'PERMISSION_DENIED' })
  t.same(lines, ['PERMISSION_DENIED for channel x: subscribe: no permission for channel x'])
})

t.test('bug: a channel that was refused again was reported again', async t => {
  const { gateway, client, timers, lines, socket } = await connectToFakeGateway(t)
  const refuse = () => client.subscribe('a b', () => {}).ready.catch(() => {})
  await Promise.all([refuse(), refuse()])
  t.match(lines, [/^INVALID_CHANNEL for channel a b: /])
  t.equal(lines.length, 1)
  const lost = nextEvent(client, 'lost')
  socket.terminate()
  await lost
  timers.advance(250)
  const open = nextEvent(client, 'welcome')
  await acceptSession(gateway)
  await open
  await refuse()
  t.equal(lines.length, 2, 'again in another session')
})

t.test('sessions that end at once are opened ever more slowly', async t => {
  const { gateway, client, socket, timers } = await connectToFakeGateway(t)
  let next = socket
  for (const delayMs of [250, 500, 1000, 2000]) {
    const lost = nextEvent(client, 'lost')
    next.terminate()
    await lost
    t.equal(timers.running()[0], delayMs)
    timers.advance(delayMs)
    const open = nextEvent(client, 'welcome')
    next = (await acceptSession(gateway)).socket
    await open
  }
  timers.advance(10_000)
  const lost = nextEvent(client, 'lost')
  next.terminate()
  await lost
  t.equal(timers.running()[0], 250, 'one that has lasted is forgotten')
})

t.test('bug: a renewal whose session ends no later was repeated without an end', async t => {
  const { gateway, client, timers, receive } = await connectToFakeGateway(t, {
    expiresAt: 40_000,
    heartbeatInterval: 3000
  })
  timers.advance(30_000)
  const second = await acceptSession(gateway, { sessionId: 'S'.repeat(32), expiresAt: 40_000 })
  t.match(await second.receive(), /"type":"bye"/, 'the new session is given up')
  const answer = client.heartbeat()
  t.match(await receive(), /"type":"heartbeat"/, 'the old one goes on')
  answer.catch(() => {})
  t.equal(client.session?.sessionId, welcome.sessionId)
  t.notOk(
    timers.running().some(ms => ms < 9000),
    'and is not renewed again'
  )
})

t.test('does not renew with a credential that ends no later', async t => {
  const gateway = await startFakeGateway(t)
  const credential = { clientId: 'c', keyId: 'k', secret: 'cs_sk_secret', expiresAt: 40_000 }
  const { client, timers } = createManualClient(t, gateway.url, { credential: async () => credential })
  client.connect()
  const open = nextEvent(client, 'welcome')
  await acceptSession(gateway, { expiresAt: 40_000, heartbeatInterval: 3000 })
  await open
  timers.advance(30_000)
  await settled()
  gateway.accept().then(
    () => t.fail('a renewal'),
    () => {}
  )
  await settled()
  t.equal(client.state, 'connected')
})

t.test('answers a ping at once, in its message handler', async t => {
  const { socket, receive } = await connectToFakeGateway(t)
  socket.send(sign({ type: 'ping', seq: 2 }))
  t.match(await receive(), /"type":"heartbeat","seq":2/)
})

t.test('a session with short heartbeats is lost 10 s after the first without an answer', async t => {
  const { client, timers } = await connectToFakeGateway(t, { heartbeatInterval: 1 })
  const lost = nextEvent(client, 'lost')
  for (let i = 0; i < 11; i++) timers.advance(1000)
  t.match(await lost, { reason: 'no answer to a heartbeat' })
})

t.test('an instance that announced its stop is tried again within 1.5 s each time', async t => {
  const gateway = await startFakeGateway(t)
  const { client, timers } = createManualClient(t, gateway.url)
  client.connect()
  const open = nextEvent(client, 'welcome')
  const { socket } = await acceptSession(gateway)
  await open
  const lost = nextEvent(client, 'lost')
  socket.send(sign({ type: 'error', seq: 2, code: 'DRAINING', message: 'm' }))
  await lost
  for (let i = 0; i < 8; i++) {
    t.ok((timers.running()[0] ?? 0) <= 750, 'half of 1.5 s')
    timers.advance(timers.running()[0] ?? 0)
    const next = await gateway.accept()
    next.socket.terminate()
    await until('the next try is scheduled', () => (timers.running()[0] ?? 0) <= 750)
  }
})

t.test('a thousand clients that are woken at one moment are spread over a second', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient()
  const client = createClientOf(t, gateway, { credential })
  const open = nextEvent(client, 'welcome')
  client.connect()
  client.reconnect()
  await open
  t.equal(client.state, 'connected', 'a real client that is woken at once connects')
})
