import { once } from 'node:events'
import t from 'tap'
import { CallError, RequestError } from '../../src/client/errors.js'
import { startGateway } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { createClientOf, nextEvent } from './clients.js'
import { acceptSession, connectToFakeGateway, sign } from './fake-gateway.js'

/** Calls of other sessions' methods, with a gateway whose answers a test writes. */

const sessionId = 'r'.repeat(32)

t.test('resolves with the result of the receiver', async t => {
  const { client, socket, receive } = await connectToFakeGateway(t)
  const call = client.call<{ ok: boolean }>({ clientId: 'game' }, 'kick', { player: 'x' }, { timeoutMs: 5000 })
  const request = JSON.parse(await receive())
  t.match(request, { type: 'call', to: { clientId: 'game' }, method: 'kick', data: { player: 'x' }, timeoutMs: 5000 })
  t.match(request.idempotencyKey, /^.{1,64}$/, 'with a key of its own')
  socket.send(sign({ type: 'called', seq: 2, re: request.seq, sessionId, data: { ok: true } }))
  t.same(await call, { ok: true })

  const other = client.call({ sessionId }, 'ping', undefined, { idempotencyKey: 'mine', timeoutMs: 1 })
  const second = JSON.parse(await receive())
  t.match(second, { to: { sessionId }, timeoutMs: 100, idempotencyKey: 'mine' })
  t.notOk('data' in second)
  socket.send(sign({ type: 'called', seq: 3, re: second.seq, sessionId }))
  t.equal(await other, undefined)
})

t.test('rejects with the error of the receiver or of the gateway', async t => {
  const { client, socket, receive } = await connectToFakeGateway(t)
  const answers = [
    { code: 'CALL_FAILED', message: 'm', error: { code: 'PLAYER_GONE', message: 'left' } },
    { code: 'NO_RECEIVER', message: 'm' },
    { code: 'CALL_TIMEOUT', message: 'm', outcome: 'unknown' },
    { code: 'RATE_LIMITED', message: 'm', retryAfterMs: 500 },
    { code: 'PERMISSION_DENIED', message: 'm' }
  ]
  for (const [i, answer] of answers.entries()) {
    const call = client.call({ sessionId }, 'kick', null)
    const { seq, data } = JSON.parse(await receive())
    t.equal(data, null, 'null is data')
    socket.send(sign({ type: 'error', seq: 2 + i, re: seq, ...answer }))
    const error = await call.catch((caught: unknown) => caught)
    t.ok(error instanceof CallError && error instanceof RequestError)
    t.match(error, { name: 'CallError', ...answer })
  }
  t.equal(client.state, 'connected')
})

t.test('refuses locally requests that the gateway would refuse', async t => {
  const { client, socket } = await connectToFakeGateway(t)
  socket.on('message', () => t.fail('nothing is sent'))
  const refused: [Promise<unknown>, string][] = [
    [client.call({} as { sessionId: string }, 'kick'), 'to'],
    [client.call({ sessionId, clientId: 'game' } as unknown as { clientId: string }, 'kick'), 'to'],
    [client.call({ clientId: 'no good' }, 'kick'), 'to'],
    [client.call({ clientId: 'game', all: true } as { clientId: string }, 'kick'), 'to'],
    [client.call(undefined as unknown as { clientId: string }, 'kick'), 'to'],
    [client.call({ clientId: 'game' }, 'no good'), 'method'],
    [client.call({ clientId: 'game' }, 'kick', { x: Number.NaN }), 'data.x'],
    [client.call({ clientId: 'game' }, 'kick', 'x'.repeat(40_000)), 'data'],
    [client.call({ clientId: 'game' }, 'kick', 1, { idempotencyKey: '' }), 'idempotencyKey'],
    [client.call({ clientId: 'game' }, 'kick', 1, { timeoutMs: Number.NaN }), 'timeoutMs']
  ]
  for (const [call] of refused) call.catch(() => {})
  for (const [call, path] of refused) {
    await t.rejects(call, { name: 'CallError', code: 'INVALID_MESSAGE', path, outcome: 'unsent' }, path)
  }
})

t.test('repeats a call under its key: in the next session, and while the gateway is unavailable', async t => {
  const { client, gateway, socket, receive, timers } = await connectToFakeGateway(t)
  client.on('trouble', () => {})
  const call = client.call({ clientId: 'game' }, 'kick', [1])
  const first = JSON.parse(await receive())
  socket.terminate()
  await once(socket, 'close')
  await until('it is lost', () => client.state === 'connecting')
  timers.advance(1000)
  const next = await acceptSession(gateway)
  const { seq: _seq, signature: _signature, ...members } = first
  const second = JSON.parse(await next.receive())
  t.match(second, members, 'the same call')
  next.socket.send(
    sign({ type: 'error', seq: 2, re: second.seq, code: 'UNAVAILABLE', message: 'm', outcome: 'unknown' })
  )
  await until('it waits', () => timers.running().includes(1000))
  timers.advance(1000)
  const third = JSON.parse(await next.receive())
  t.match(third, members)
  next.socket.send(sign({ type: 'called', seq: 3, re: third.seq, sessionId, data: 'done' }))
  t.equal(await call, 'done')
})

t.test('a call without an answer ends after its time-out and the grace of the gateway', async t => {
  const { client, receive, timers } = await connectToFakeGateway(t)
  const call = client.call({ clientId: 'game' }, 'kick', 1, { timeoutMs: 1000 })
  await receive()
  timers.advance(4000)
  await t.rejects(call, { name: 'CallError', code: 'TIMEOUT', outcome: 'unknown' })
  void client.close()
  await t.rejects(client.call({ clientId: 'game' }, 'kick'), { name: 'CallError', code: 'CLOSED', outcome: 'unsent' })
})

t.test('lists sessions, presence and history', async t => {
  const { client, socket, receive } = await connectToFakeGateway(t)
  const answer = async (seq: number, message: object) => {
    const request = JSON.parse(await receive())
    socket.send(sign({ ...message, seq, re: request.seq }))
    return request
  }
  const entry = {
    sessionId,
    clientId: 'game',
    transport: 'bridge',
    openedAt: 1,
    lastSeenAt: 2,
    attributes: { players: '3' }
  }
  const sessions = client.sessions('game', { limit: 1, after: 'a' })
  t.match(await answer(2, { type: 'sessions', sessions: [entry], next: 'b' }), {
    ...{ type: 'sessions', clientId: 'game', limit: 1, after: 'a' }
  })
  t.same(await sessions, { sessions: [entry], next: 'b' })

  const member = { sessionId, clientId: 'game', attributes: {} }
  const presence = client.presence('lobby', { limit: 1 })
  t.match(await answer(3, { type: 'presence', channel: 'lobby', count: 7, sessions: [member] }), {
    ...{ type: 'presence', channel: 'lobby', limit: 1 }
  })
  t.same(await presence, { channel: 'lobby', count: 7, sessions: [member] })

  const before = { offset: 5, epoch: 'e', data: 'a publication may serve as a position' }
  const history = client.history('news', { limit: 2, before })
  const publications = [{ offset: 3, data: 'x', publishedAt: 1, publisher: 'c' }]
  t.match(await answer(4, { type: 'history', channel: 'news', epoch: 'e', publications, more: true }), {
    ...{ type: 'history', channel: 'news', limit: 2, before: { offset: 5, epoch: 'e' } }
  })
  t.same(await history, {
    ...{ publications: [{ channel: 'news', epoch: 'e', ...publications[0] }], offset: 3, epoch: 'e', more: true }
  })
  const empty = client.history('news')
  await answer(5, { type: 'history', channel: 'news', epoch: 'e2', publications: [], more: false })
  t.same(await empty, { publications: [], offset: 0, epoch: 'e2', more: false })

  await t.rejects(client.sessions('no good'), { code: 'INVALID_MESSAGE', path: 'clientId' })
  await t.rejects(client.presence('c', { limit: 101 }), { code: 'INVALID_MESSAGE', path: 'limit' })
  await t.rejects(client.history('c', { limit: 0 }), { code: 'INVALID_MESSAGE', path: 'limit' })
  await t.rejects(client.history('no good'), { code: 'INVALID_CHANNEL', path: 'channel' })
})

t.test('calls a method of another client on a real gateway', async t => {
  const gateway = await startGateway(t)
  const server = createClientOf(t, gateway, { credential: await gateway.createClient({ clientId: 'game' }) })
  const infos: unknown[] = []
  server.on('error', () => {})
  server.handle<{ player: string }>('kick', ({ player }, info) => {
    infos.push(info)
    if (player === 'gone') throw Object.assign(new Error('not here'), { code: 'PLAYER_GONE' })
    return { kicked: player }
  })
  const open = nextEvent(server, 'welcome')
  server.connect()
  const { sessionId } = await open
  const panel = createClientOf(t, gateway, {
    credential: await gateway.createClient({ clientId: 'panel', call: ['game/*'] })
  }).connect()
  t.same(await panel.call({ clientId: 'game' }, 'kick', { player: 'x' }), { kicked: 'x' })
  t.same(await panel.call({ sessionId }, 'kick', { player: 'y' }, { idempotencyKey: 'k' }), { kicked: 'y' })
  t.same(await panel.call({ sessionId }, 'kick', { player: 'y' }, { idempotencyKey: 'k' }), { kicked: 'y' })
  t.match(infos, [{ from: 'panel' }, { from: 'panel' }], 'the repeat did not run')
  t.equal(infos.length, 2)
  await t.rejects(panel.call({ clientId: 'game' }, 'kick', { player: 'gone' }), {
    ...{ code: 'CALL_FAILED', error: { code: 'PLAYER_GONE', message: 'not here' } }
  })
  await t.rejects(panel.call({ clientId: 'game' }, 'other'), { code: 'CALL_FAILED', error: { code: 'NO_HANDLER' } })
  await t.rejects(panel.call({ clientId: 'panel' }, 'kick'), { name: 'CallError', code: 'PERMISSION_DENIED' })
  await server.close()
  await t.rejects(panel.call({ clientId: 'game' }, 'kick'), { code: 'NO_RECEIVER' })
})

t.test('a call runs once, although its caller loses the connection', async t => {
  const gateway = await startGateway(t)
  const server = createClientOf(t, gateway, { credential: await gateway.createClient({ clientId: 'game' }) }).connect()
  let runs = 0
  let finish = (_: unknown) => {}
  server.handle('save', () => {
    runs++
    return new Promise(resolve => {
      finish = resolve
    })
  })
  await nextEvent(server, 'welcome')
  const panel = createClientOf(t, gateway, { credential: await gateway.createClient({ call: ['*'] }) }).connect()
  await nextEvent(panel, 'welcome')
  const call = panel.call({ clientId: 'game' }, 'save')
  await until('it runs', () => runs === 1)
  const lost = nextEvent(panel, 'lost')
  const reopened = nextEvent(panel, 'welcome')
  // The sockets are in the order of their connections.
  for (const socket of [...gateway.app.server.websocketServer.clients].slice(1)) socket.terminate()
  await lost
  await reopened
  finish('saved')
  t.equal(await call, 'saved')
  t.equal(runs, 1)
})
