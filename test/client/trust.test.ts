import { once } from 'node:events'
import t from 'tap'
import { createNodeMac } from '../../src/protocol/mac-node.js'
import { createPortableMac } from '../../src/protocol/mac-portable.js'
import { signText } from '../helper/wire.js'
import { createManualClient, license, nextEvent } from './clients.js'
import { challenge, connectToFakeGateway, serverKey, sign, startFakeGateway, welcome } from './fake-gateway.js'

/** Which frames a client believes (PROTOCOL §4.5, §5.3). */

t.test('signs only valid challenge tokens', async t => {
  for (const token of ['x', 'T'.repeat(42), `${'T'.repeat(42)}:`, 'countersign.v1:client:TTTTTTTTTTTTTTTTTTTTT', 5]) {
    const gateway = await startFakeGateway(t)
    const { client } = createManualClient(t, gateway.url)
    const sent: string[] = []
    client.on('frame', ({ direction, text }) => direction === 'up' && sent.push(text))
    client.connect()
    const { socket } = await gateway.accept()
    socket.send(JSON.stringify({ type: 'challenge', challengeToken: token, expiresIn: 60 }))
    await once(socket, 'close')
    t.same(sent, [])
  }
})

t.test('drops the connection if the welcome is not valid for this client', async t => {
  const invalid: [string, string][] = [
    ['unsigned', JSON.stringify(welcome)],
    ['wrong key', signText('another', JSON.stringify(welcome))],
    ['another client', sign({ ...welcome, clientId: 'd' })],
    ['another key', sign({ ...welcome, keyId: 'l' })],
    ['another protocol', sign({ ...welcome, protocol: 'countersign.v2' })],
    ['no protocol', sign({ ...welcome, protocol: undefined })],
    ['out of sequence', sign({ ...welcome, seq: 2 })],
    ['something else', sign({ type: 'heartbeat', seq: 1, serverTime: 1 })]
  ]
  for (const [name, frame] of invalid) {
    await t.test(name, async t => {
      const gateway = await startFakeGateway(t)
      const { client, timers } = createManualClient(t, gateway.url)
      let welcomed = false
      client.on('welcome', () => {
        welcomed = true
      })
      client.connect()
      const { socket, receive } = await gateway.accept()
      socket.send(challenge)
      t.match(await receive(), /"type":"authenticate"/)
      socket.send(frame)
      await once(socket, 'close')
      t.equal(welcomed, false)
      t.equal(client.state, 'connecting')
      t.same(timers.running(), [250], 'it tries again')
    })
  }
})

t.test('keeps trying after closes and unsigned errors, and reports the cause once', async t => {
  const gateway = await startFakeGateway(t)
  const { client, timers } = createManualClient(t, gateway.url)
  const stopped: unknown[] = []
  client.on('stopped', end => stopped.push(end))
  const troubles: unknown[] = []
  client.on('trouble', trouble => troubles.push(trouble))
  client.connect()
  for (const [i, delayMs] of [250, 500, 1000].entries()) {
    const { socket, receive } = await gateway.accept()
    socket.send(challenge)
    await receive()
    socket.send('{"type":"error","code":"AUTHENTICATION_FAILED","message":"authentication failed"}')
    socket.close(4401, 'AUTHENTICATION_FAILED')
    await once(socket, 'close')
    t.same(timers.running(), [delayMs], `delay ${i}`)
    timers.advance(delayMs)
  }
  t.match(troubles, [{ tries: 1, reason: /AUTHENTICATION_FAILED/ }])
  t.equal(troubles.length, 1)
  t.same(stopped, [])
  await gateway.accept()
  t.pass('a fourth try')
})

t.test('stops only after a signed 44xx in sequence', async t => {
  const error = (code: string, seq = 2) => ({ type: 'error', seq, code, message: 'x' })
  await t.test('signed 44xx', async t => {
    const { client, socket, timers } = await connectToFakeGateway(t)
    const answer = client.validate(license)
    const stopped = nextEvent(client, 'stopped')
    socket.send(sign(error('SESSION_REVOKED')))
    t.match(await stopped, { code: 'SESSION_REVOKED' })
    await t.rejects(answer, { code: 'SESSION_REVOKED' })
    t.same(timers.running(), [])
  })
  const transient: [string, string][] = [
    ['signed 45xx', sign(error('DRAINING'))],
    ['unsigned', JSON.stringify(error('SESSION_REVOKED'))],
    ['signed, of another seq', sign(error('SESSION_REVOKED', 3))],
    ['signed with another key', signText('x', JSON.stringify(error('SESSION_REVOKED')))],
    ['the welcome again', sign(welcome)],
    ['text that is not a frame', 'hello']
  ]
  for (const [name, frame] of transient) {
    await t.test(name, async t => {
      const { client, socket, timers } = await connectToFakeGateway(t)
      const lost = nextEvent(client, 'lost')
      socket.send(frame)
      await lost
      t.equal(client.state, 'connecting')
      t.equal(timers.running()[0], 250)
    })
  }
  await t.test('an error with re answers a request, and the session continues', async t => {
    const { client, socket, receive } = await connectToFakeGateway(t)
    const answer = client.validate(license)
    const { seq } = JSON.parse(await receive())
    socket.send(sign({ ...error('RATE_LIMITED'), re: seq, retryAfterMs: 5 }))
    await t.rejects(answer, { code: 'RATE_LIMITED', retryAfterMs: 5 })
    socket.send(sign({ type: 'unknownType', seq: 3 }))
    const again = client.validate(license)
    const { seq: next } = JSON.parse(await receive())
    socket.send(sign({ type: 'validation', seq: 4, re: next, valid: false, code: 'NEW_CODE', serviceId: 'svc' }))
    t.match(await again, { valid: false, code: 'NEW_CODE' }, 'an unknown type used up its seq')
  })
})

t.test('a swapped answer settles no other license', async t => {
  const { client, socket, receive } = await connectToFakeGateway(t)
  const first = client.validate({ ...license, key: 'a' })
  const second = client.validate({ ...license, key: 'b' })
  const [a, b] = [JSON.parse(await receive()), JSON.parse(await receive())]
  const answer = (seq: number, re: number, code: string) =>
    socket.send(sign({ type: 'validation', seq, re, valid: code === 'VALID', code, serviceId: 'svc' }))
  answer(2, b.seq, 'VALID')
  answer(3, a.seq, 'NOT_FOUND')
  t.match(await first, { code: 'NOT_FOUND' })
  t.match(await second, { code: 'VALID' })
})

t.test('both MAC implementations give the same tags', async t => {
  const body = '{"type":"x"}'
  t.equal(createNodeMac(serverKey).ofText(body), createPortableMac(serverKey).ofText(body))
})
