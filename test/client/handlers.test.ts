import { once } from 'node:events'
import t from 'tap'
import { maxRunningCalls, maxRunningPerMethod } from '../../src/client/served-calls.js'
import { until } from '../helper/until.js'
import { connectCaller } from './caller.js'
import { acceptSession } from './fake-gateway.js'

/** Handlers of calls, with a gateway whose calls a test writes. */

t.test('answers with the value or resolved promise of the handler', async t => {
  const { client, call, result, faults } = await connectCaller(t)
  const infos: unknown[] = []
  client.handle<number>('double', (data, info) => {
    infos.push(info)
    return 2 * data
  })
  client.handle('later', async () => ({ list: [null] }))
  client.handle('nothing', () => {})
  const callId = call('double', { data: 4 })
  t.match(await result(), { callId, data: 8 })
  t.same(infos, [{ from: 'panel', callId, expiresAt: 10_000 }])
  call('later')
  t.match(await result(), { data: { list: [null] } })
  call('nothing', { from: undefined })
  const answer = await result()
  t.notOk('data' in answer || 'error' in answer)
  t.same(faults, [])
})

t.test('answers with an error if a handler throws, and for a method without a handler', async t => {
  const { client, call, result, faults } = await connectCaller(t)
  client.handle('throw', () => {
    throw new Error('x'.repeat(600))
  })
  client.handle('code', async () => {
    throw Object.assign(new Error('left \ud800'), { code: 'PLAYER_GONE' })
  })
  client.handle('odd', async () => {
    throw Object.assign(new Error('m'), { code: 'no code' })
  })
  client.handle('text', () => Promise.reject('as text'))
  call('throw')
  t.match((await result()).error, { code: 'HANDLER_FAILED', message: 'x'.repeat(512) })
  call('code')
  t.match((await result()).error, { code: 'PLAYER_GONE', message: 'left \ufffd' })
  call('odd')
  t.match((await result()).error, { code: 'HANDLER_FAILED' })
  call('text')
  t.match((await result()).error, { code: 'HANDLER_FAILED', message: 'as text' })
  call('other')
  t.match((await result()).error, { code: 'NO_HANDLER' })
  t.same(
    faults.map(({ source }) => source),
    ['handle:throw', 'handle:code', 'handle:odd', 'handle:text']
  )
  t.equal(client.state, 'connected')
})

const unreadable = () => {
  throw new Error('not to be read')
}

t.test('bug: a thrown value that cannot be read ended the process, and its call had no answer', async t => {
  const { client, call, result, faults } = await connectCaller(t)
  const thrown: [unknown, string][] = [
    [Object.create(null), 'a value that cannot be shown'],
    [{ toString: unreadable }, 'a value that cannot be shown'],
    [Object.assign(new Error('m'), { message: 5 }), '5'],
    [Object.defineProperty(new Error('m'), 'code', { get: unreadable }), 'm'],
    [Object.defineProperty(new Error('m'), 'message', { get: unreadable }), 'a value that cannot be shown']
  ]
  for (const [value, message] of thrown) {
    client.handle('throw', () => {
      throw value
    })
    call('throw')
    t.same((await result()).error, { code: 'HANDLER_FAILED', message })
  }
  t.equal(faults.length, thrown.length)
  t.equal(client.state, 'connected')
})

t.test('a result that cannot be sent becomes an error', async t => {
  const { client, call, result, faults } = await connectCaller(t)
  const results: unknown[] = ['x'.repeat(33_000), { x: 1n }, new Uint8Array(1), [Number.NaN], '\udc00']
  client.handle<number>('get', n => results[n])
  for (const n of results.keys()) {
    call('get', { data: n })
    t.match((await result()).error, { code: 'HANDLER_FAILED', message: /^the result cannot be sent: data/ })
    t.match(faults[n], { source: 'handle:get', error: { code: 'INVALID_MESSAGE', path: /^data/ } })
  }
})

t.test('runs a call once, and only with the handler that is set', async t => {
  const { client, call, result, send, receive } = await connectCaller(t)
  const ran: string[] = []
  const off = client.handle('kick', () => ran.push('first'))
  const callId = call('kick')
  await result()
  send({ type: 'call', callId, method: 'kick', expiresAt: 10_000 })
  send({ type: 'ping' })
  t.match(await receive(), /heartbeat/, 'a repeated call is not answered again')
  client.handle('kick', () => ran.push('second'))
  off()
  call('kick')
  await result()
  t.same(ran, ['first', 'second'], 'off() of a replaced handler changes nothing')
  t.throws(() => client.handle('no good', () => {}), { code: 'INVALID_MESSAGE', path: 'method' })
  t.throws(() => client.handle('kick', undefined as unknown as () => void), TypeError)
})

t.test('sends a refused result again until the call expires, then reports it', async t => {
  const { client, call, result, send, timers, faults } = await connectCaller(t)
  client.handle('kick', () => 'done')
  const refuse = (re: number, code: string) => send({ type: 'error', re, code, message: 'm', retryAfterMs: 4000 })
  const callId = call('kick')
  let { seq } = await result()
  for (const code of ['RATE_LIMITED', 'UNAVAILABLE']) {
    refuse(seq, code)
    await until('it waits', () => timers.running().includes(4000))
    timers.advance(4000)
    const again = await result()
    t.match(again, { callId, data: 'done' })
    seq = again.seq
  }
  t.same(faults, [])
  refuse(seq, 'UNAVAILABLE')
  await until('it is reported', () => faults.length === 1)
  t.match(faults[0], { source: 'handle:kick', error: { code: 'UNAVAILABLE' } }, 'it expires before')

  call('kick')
  send({ type: 'error', re: (await result()).seq, code: 'INVALID_MESSAGE', message: 'm' })
  await until('it is reported', () => faults.length === 2)
  t.match(faults[1], { source: 'handle:kick', error: { code: 'INVALID_MESSAGE' } })
})

t.test('a result belongs to the session that was called', async t => {
  const { client, call, gateway, socket, timers, faults } = await connectCaller(t)
  client.on('trouble', () => {})
  let finish = (_: unknown) => {}
  client.handle('slow', () => new Promise(resolve => (finish = resolve)))
  let isRunning = false
  client.on('frame', ({ text }) => {
    isRunning ||= text.includes('slow')
  })
  call('slow')
  await until('it runs', () => isRunning)
  socket.terminate()
  await once(socket, 'close')
  await until('it is lost', () => client.state === 'connecting')
  timers.advance(1000)
  const next = await acceptSession(gateway)
  await until('it is connected', () => client.state === 'connected')
  finish('late')
  client.heartbeat().catch(() => {})
  t.match(await next.receive(), /heartbeat/, 'nothing is sent to a session that did not get the call')
  t.match(faults, [{ source: 'handle:slow', error: { code: 'CLOSED', message: /the result of slow was not sent/ } }])
  t.equal(faults.length, 1)
})

t.test('bounds the calls that run, per method and in all', async t => {
  const { client, call, result, send } = await connectCaller(t)
  const methods = Array.from({ length: maxRunningCalls / maxRunningPerMethod + 1 }, (_, i) => `m${i}`)
  let running = 0
  for (const method of methods) client.handle(method, () => new Promise(() => running++))
  for (let i = 0; i < maxRunningPerMethod; i++) call('m0')
  call('m0')
  const refused = await result()
  t.match(refused.error, { code: 'BUSY' })
  send({ type: 'ack', re: refused.seq })
  for (const method of methods.slice(1, -1)) for (let i = 0; i < maxRunningPerMethod; i++) call(method)
  call(methods.at(-1) ?? '')
  t.match((await result()).error, { code: 'BUSY' })
  t.equal(running, maxRunningCalls)
})

t.test('close waits for handlers that run, and starts no other one', async t => {
  const { client, call, result, receive, send } = await connectCaller(t)
  let finish = (_: unknown) => {}
  client.handle('slow', () => new Promise(resolve => (finish = resolve)))
  const callId = call('slow')
  let isOver = false
  let closing: Promise<void> | undefined
  client.handle('close', () => {
    closing = client.close().then(() => {
      isOver = true
    })
  })
  call('close')
  t.match(await result(), { callId: /call-2/ }, 'a handler may close its client')
  call('slow')
  t.match((await result()).error, { code: 'CLOSING' })
  t.equal(isOver, false)
  finish('done')
  const { seq, ...answer } = await result()
  t.match(answer, { callId, data: 'done' })
  for (const re of [2, 3, seq]) send({ type: 'ack', re })
  const bye = JSON.parse(await receive())
  t.equal(bye.type, 'bye')
  send({ type: 'ack', re: bye.seq })
  await closing
  t.ok(isOver)
})

t.test('bug: the result of a handler that awaits close was silently dropped', async t => {
  const { client, call, receive, send, timers, faults } = await connectCaller(t)
  const seen: string[] = []
  client.handle('stop', async () => {
    seen.push('closing')
    await client.close()
    seen.push('closed')
    return 'stopped'
  })
  call('stop')
  await until('it closes the client', () => seen.length === 1)
  timers.advance(5000)
  const bye = JSON.parse(await receive())
  t.equal(bye.type, 'bye')
  send({ type: 'ack', re: bye.seq })
  await until('it is reported', () => faults.length === 1)
  t.same(seen, ['closing', 'closed'])
  t.match(faults[0], { source: 'handle:stop', error: { code: 'CLOSED', outcome: 'unsent' } })
  t.same(timers.running(), [])
})

t.test('close waits 5 s at most, and not for a call that has expired', async t => {
  const { client, call, receive, timers, socket } = await connectCaller(t)
  let running = 0
  client.handle('never', () => new Promise(() => running++))
  call('never')
  await until('it runs', () => running === 1)
  void client.close()
  timers.advance(4999)
  t.equal(socket.readyState, socket.OPEN)
  timers.advance(1)
  t.match(await receive(), /"bye"/)

  const other = await connectCaller(t)
  other.client.handle('never', () => new Promise(() => running++))
  other.call('never', { expiresAt: 100 })
  await until('it runs', () => running === 2)
  other.timers.advance(100)
  void other.client.close()
  t.match(await other.receive(), /"bye"/)
})
