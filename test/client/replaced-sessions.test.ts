import t from 'tap'
import { maxRetired } from '../../src/client/retired-connections.js'
import { until } from '../helper/until.js'
import { connectCaller } from './caller.js'
import { acceptSession, sign } from './fake-gateway.js'

/** A session that was replaced stays until the calls to it are answered. */

t.test('keeps a replaced session until its calls are answered', async t => {
  const { client, call, gateway, receive, result, send, timers } = await connectCaller(t)
  let finish = (_: unknown) => {}
  client.handle('slow', () => new Promise(resolve => (finish = resolve)))
  const callId = call('slow')
  send({ type: 'reconnect', afterMs: 50 })
  await until('it is about to move', () => timers.running().includes(50))
  timers.advance(50)
  const next = await acceptSession(gateway, { sessionId: 'n'.repeat(32) })
  await until('it has moved', () => client.session?.sessionId === 'n'.repeat(32))
  send({ type: 'ping' })
  t.match(await receive(), /"heartbeat"/, 'the old session goes on')
  const published = client.publish('c', 1)
  const { seq } = JSON.parse(await next.receive())
  send({ type: 'error', re: seq, code: 'PERMISSION_DENIED', message: 'm' })
  send({ type: 'publication', channel: 'c', offset: 1, epoch: 'e', data: 1, publishedAt: 0 })
  finish('done')
  const answer = await result()
  t.match(answer, { callId, data: 'done' })
  send({ type: 'ack', re: answer.seq })
  t.match(await receive(), /"bye"/)
  const position = { channel: 'c', offset: 1, epoch: 'e' }
  next.socket.send(sign({ type: 'published', seq: 2, re: seq, ...position }))
  t.same(await published, position, 'an answer on the old session has not settled it')
})

t.test('keeps a replaced session 30 s at most', async t => {
  const { client, call, gateway, receive, send, timers } = await connectCaller(t)
  let running = 0
  client.handle('never', () => new Promise(() => running++))
  call('never', { expiresAt: 60_000 })
  await until('it runs', () => running === 1)
  send({ type: 'reconnect', afterMs: 50 })
  await until('it is about to move', () => timers.running().includes(50))
  timers.advance(50)
  await acceptSession(gateway, { sessionId: 'n'.repeat(32) })
  await until('it has moved', () => client.session?.sessionId === 'n'.repeat(32))
  timers.advance(29_999)
  send({ type: 'ping' })
  t.match(await receive(), /"heartbeat"/)
  timers.advance(1)
  t.match(await receive(), /"bye"/)
})

t.test('keeps a bounded number of replaced sessions', async t => {
  const { client, gateway, timers, ...first } = await connectCaller(t)
  let running = 0
  client.handle('never', () => new Promise(() => running++))
  let { socket } = first
  const sockets = [socket]
  const expiring = { method: 'never', expiresAt: 60_000 }
  for (let n = 1; n <= maxRetired + 1; n++) {
    socket.send(sign({ type: 'call', seq: 2, callId: `call-${n}`.padEnd(22, 'x'), ...expiring }))
    socket.send(sign({ type: 'reconnect', seq: 3, afterMs: 50 }))
    await until('it is about to move', () => running === n && timers.running().includes(50))
    timers.advance(50)
    const sessionId = `${n}`.repeat(32)
    socket = (await acceptSession(gateway, { sessionId })).socket
    sockets.push(socket)
    await until('it has moved', () => client.session?.sessionId === sessionId)
    if (n === maxRetired) t.ok(sockets.every(({ readyState }) => readyState === socket.OPEN))
  }
  const [oldest, ...others] = sockets
  await until('the oldest is closed', () => oldest?.readyState === socket.CLOSED)
  t.ok(others.every(({ readyState }) => readyState === socket.OPEN))
})
