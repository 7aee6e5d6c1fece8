import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'
import { pauseMs } from '../../src/client/backoff.js'
import { CountersignClient } from '../../src/client/client.js'
import { createClient } from '../../src/client/node.js'
import type { ClientEvents, ClientOptions } from '../../src/client/options.js'
import { maxPendingRequests } from '../../src/client/requests.js'
import { openNodeSocket } from '../../src/client/socket-node.js'
import { createNodeMac } from '../../src/protocol/mac-node.js'
import { createPortableMac } from '../../src/protocol/mac-portable.js'
import { type Gateway, startGateway } from '../helper/gateway.js'
import { createTimers } from '../helper/timers.js'
import { until } from '../helper/until.js'
import { hmac, patienceMs, signText } from '../helper/wire.js'

const question = { serviceId: 'svc', hwid: 'h', key: 'key' }
const credential = { clientId: 'c', keyId: 'k', secret: 'cs_sk_secret' }

/** The next event of a name. */
function event<Name extends keyof ClientEvents>(client: CountersignClient, name: Name): Promise<ClientEvents[Name]> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(patienceMs)
    signal.addEventListener('abort', () => reject(new Error(`no ${name} in time`)))
    const off = client.on(name, value => {
      off()
      resolve(value)
    })
  })
}

function open(t: Test, gateway: Gateway, options: Partial<ClientOptions> & Pick<ClientOptions, 'credential'>) {
  const client = createClient({ url: gateway.wsUrl, ...options })
  t.teardown(() => client.close())
  return client
}

/** A client whose time we move. */
function manual(t: Test, url: string, options: Partial<ClientOptions> = {}) {
  const timers = createTimers()
  const platform = {
    createMac: createPortableMac,
    openSocket: openNodeSocket,
    random: () => 0.5,
    nonce: () => 'n'.repeat(32),
    ...timers
  }
  const client = new CountersignClient(platform, { url, credential, ...options })
  t.teardown(() => client.close())
  return { client, timers }
}

// ── Against a gateway ────────────────────────────────────────────────────────────────────────────────────────────────

t.test('connects, asks, and leaves', async t => {
  const gateway = await startGateway(t)
  await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
  const client = open(t, gateway, { credential: await gateway.createClient(), attributes: { app: 'test' } })
  const states: string[] = []
  client.on('state', state => states.push(state))
  t.equal(client.connect(), client)
  t.match(await client.validate(question), { valid: true, code: 'VALID', serviceId: 'svc', maxHwids: 1 })
  t.match(await client.validate({ ...question, hwid: 'x' }), { valid: false, code: 'HWID_MISMATCH' })
  t.equal(await client.heartbeat(), gateway.clock.now())
  await t.rejects(client.validate({ ...question, serviceId: 'no good' }), { code: 'INVALID_MESSAGE' })
  t.match((await gateway.admin('GET', '/sessions')).body.items, [{ attributes: { app: 'test' } }])
  client.close()
  t.same(states, ['connecting', 'connected', 'disconnected'])
  await t.rejects(client.validate(question), { code: 'CLOSED' })
  await until('it said bye', () => gateway.app.sessionCount() === 0)
})

t.test('a credential can be fetched anew for each handshake', async t => {
  const gateway = await startGateway(t)
  const real = await gateway.createClient()
  let fetched = 0
  const client = open(t, gateway, {
    credential: async () => {
      if (++fetched === 1) throw new Error('backend away')
      return real
    }
  })
  client.connect()
  t.match(await event(client, 'welcome'), { clientId: real.clientId })
  t.equal(fetched, 2)
})

t.test('what a lost connection left unanswered is asked again', async t => {
  const gateway = await startGateway(t)
  await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
  const client = open(t, gateway, { credential: await gateway.createClient() })
  client.connect()
  await event(client, 'welcome')
  const lost = event(client, 'lost')
  const asked = client.validate(question)
  for (const socket of gateway.app.server.websocketServer.clients) socket.terminate()
  t.match(await lost, { reason: /closed with 1006/ })
  t.match(await asked, { code: 'VALID' })
})

t.test('a revoked key is the end, said signed', async t => {
  const gateway = await startGateway(t)
  const real = await gateway.createClient()
  const client = open(t, gateway, { credential: real })
  client.connect()
  await event(client, 'welcome')
  const stopped = event(client, 'stopped')
  await gateway.admin('DELETE', `/clients/${real.clientId}/keys/${real.keyId}`)
  t.match(await stopped, { code: 'SESSION_REVOKED' })
  t.equal(client.state, 'disconnected')
})

t.test('changed rights bring it back with a new session', async t => {
  const gateway = await startGateway(t)
  const real = await gateway.createClient()
  const client = open(t, gateway, { credential: real })
  client.connect()
  const first = await event(client, 'welcome')
  const second = event(client, 'welcome')
  await gateway.admin('PATCH', `/clients/${real.clientId}`, { services: ['x'] })
  t.not((await second).sessionId, first.sessionId)
})

t.test('fresh challenges are answered by themselves', async t => {
  const gateway = await startGateway(t, { config: { freshChallengeMs: 1000 } })
  const client = open(t, gateway, { credential: await gateway.createClient() })
  client.connect()
  await event(client, 'welcome')
  const frames: string[] = []
  client.on('frame', ({ text }) => frames.push(JSON.parse(text).type))
  gateway.clock.advance(1000)
  await gateway.app.tick()
  while (!frames.includes('ack')) await event(client, 'frame')
  t.same(frames, ['challenge', 'challengeResponse', 'ack'])
})

t.test('requests are bounded, in number and in time', async t => {
  const { client, timers } = manual(t, 'ws://127.0.0.1:1')
  client.connect()
  const waiting = Array.from({ length: maxPendingRequests }, () => client.validate(question, 5000))
  await t.rejects(client.validate(question), { code: 'TOO_MANY' })
  timers.advance(5000)
  for (const result of await Promise.allSettled(waiting)) t.match(result, { reason: { code: 'TIMEOUT' } })
})

t.test('no url but ws:// and wss://', async t => {
  for (const url of ['http://127.0.0.1', 'x', '', 'javascript:alert(1)']) {
    t.throws(() => createClient({ url, credential }), TypeError)
  }
})

// ── Against a gateway that lies ──────────────────────────────────────────────────────────────────────────────────────

interface Liar {
  readonly url: string
  /** The next connection, and a way to read what the client sends. */
  next(): Promise<{ socket: WebSocket; receive(): Promise<string> }>
}

async function startLiar(t: Test): Promise<Liar> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  const connections: WebSocket[] = []
  server.on('connection', socket => connections.push(socket))
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/ws`,
    async next() {
      if (connections.length === 0) await once(server, 'connection')
      const socket = connections.shift()
      if (socket === undefined) throw new Error('no connection')
      const messages: string[] = []
      socket.on('message', data => messages.push(String(data)))
      return {
        socket,
        async receive() {
          if (messages.length === 0) await once(socket, 'message', { signal: AbortSignal.timeout(patienceMs) })
          return messages.shift() ?? ''
        }
      }
    }
  }
}

const challengeToken = 'T'.repeat(43)
const challenge = JSON.stringify({ type: 'challenge', protocol: 'countersign.v1', challengeToken, expiresIn: 60 })
const serverKey = Buffer.from(
  hmac(credential.secret, `countersign.v1:server:${challengeToken}:${'n'.repeat(32)}`),
  'hex'
)
const welcome = {
  ...{
    type: 'welcome',
    seq: 1,
    re: 1,
    protocol: 'countersign.v1',
    sessionId: 's'.repeat(32),
    clientId: 'c',
    keyId: 'k'
  },
  ...{ heartbeatInterval: 15, heartbeatTimeout: 45, serverTime: 0, expiresAt: 86_400_000 }
}
const sign = (message: object) => signText(serverKey, JSON.stringify(message))

t.test('it signs no text that is not a challenge token', async t => {
  for (const token of ['x', 'T'.repeat(42), `${'T'.repeat(42)}:`, 'countersign.v1:client:TTTTTTTTTTTTTTTTTTTTT', 5]) {
    const liar = await startLiar(t)
    const { client } = manual(t, liar.url)
    const heard: string[] = []
    client.on('frame', ({ direction, text }) => direction === 'up' && heard.push(text))
    client.connect()
    const { socket } = await liar.next()
    socket.send(JSON.stringify({ type: 'challenge', challengeToken: token, expiresIn: 60 }))
    await once(socket, 'close')
    t.same(heard, [])
  }
})

t.test('a welcome that is not for it ends the try, and nothing more is sent', async t => {
  const lies: [string, string][] = [
    ['unsigned', JSON.stringify(welcome)],
    ['wrong key', signText('another', JSON.stringify(welcome))],
    ['another client', sign({ ...welcome, clientId: 'd' })],
    ['another key', sign({ ...welcome, keyId: 'l' })],
    ['another protocol', sign({ ...welcome, protocol: 'countersign.v2' })],
    ['no protocol', sign({ ...welcome, protocol: undefined })],
    ['out of sequence', sign({ ...welcome, seq: 2 })],
    ['something else', sign({ type: 'heartbeat', seq: 1, serverTime: 1 })]
  ]
  for (const [name, lie] of lies) {
    await t.test(name, async t => {
      const liar = await startLiar(t)
      const { client, timers } = manual(t, liar.url)
      let welcomed = false
      client.on('welcome', () => {
        welcomed = true
      })
      client.connect()
      const { socket, receive } = await liar.next()
      socket.send(challenge)
      t.match(await receive(), /"type":"authenticate"/)
      socket.send(lie)
      await once(socket, 'close')
      t.equal(welcomed, false)
      t.equal(client.state, 'connecting')
      t.same(timers.running(), [250], 'it will try again')
    })
  }
})

t.test('closes and unsigned errors are hints; tries go on, and the application is told after three', async t => {
  const liar = await startLiar(t)
  const { client, timers } = manual(t, liar.url)
  const stopped: unknown[] = []
  client.on('stopped', end => stopped.push(end))
  const trouble = event(client, 'trouble')
  client.connect()
  for (const [i, pause] of [250, 500, 70_000].entries()) {
    const { socket, receive } = await liar.next()
    socket.send(challenge)
    await receive()
    socket.send('{"type":"error","code":"AUTHENTICATION_FAILED","message":"authentication failed"}')
    socket.close(4401, 'AUTHENTICATION_FAILED')
    await once(socket, 'close')
    t.same(timers.running(), [pause], `pause ${i}`)
    timers.advance(pause)
  }
  t.match(await trouble, { tries: 3, reason: /AUTHENTICATION_FAILED/ })
  t.same(stopped, [])
  await liar.next()
  t.pass('a fourth try')
})

async function welcomed(t: Test, more: object = {}) {
  const liar = await startLiar(t)
  const { client, timers } = manual(t, liar.url)
  client.connect()
  const { socket, receive } = await liar.next()
  socket.send(challenge)
  await receive()
  const open = event(client, 'welcome')
  socket.send(sign({ ...welcome, ...more }))
  await open
  return { liar, client, timers, socket, receive }
}

t.test('how long a session is kept before the next one', async t => {
  const renewal = async (expiresAt: number) => {
    const { client, timers } = await welcomed(t, { expiresAt, heartbeatInterval: 3_000_000 })
    const [first] = timers.running()
    client.close()
    return first
  }
  t.equal(await renewal(86_400_000), 86_370_000)
  t.equal(await renewal(30_000), 22_500, 'a ticket of 30 s')
  t.equal(await renewal(0), 750, 'no storm, whatever is promised')
  t.equal(await renewal(Number.MAX_SAFE_INTEGER), 2 ** 31 - 1, 'nor by a date beyond all timers')
})

t.test('it moves without a gap: the next session first, then bye to the old one', async t => {
  for (const reason of ['its end is near', 'the instance stops']) {
    await t.test(reason, async t => {
      const { liar, client, timers, socket, receive } = await welcomed(t, {
        expiresAt: 40_000,
        heartbeatInterval: 3_000_000
      })
      const states: string[] = []
      client.on('state', state => states.push(state))
      if (reason === 'the instance stops') {
        const heard = event(client, 'frame')
        socket.send(sign({ type: 'reconnect', seq: 2, afterMs: 5000 }))
        await heard
        timers.advance(4999)
        timers.advance(1)
      } else timers.advance(30_000)
      const second = await liar.next()
      second.socket.send(challenge)
      t.match(await second.receive(), /"type":"authenticate"/)
      const asked = client.validate(question)
      t.match(await receive(), /"type":"validate"/, 'the old session serves until the new one stands')
      const moved = event(client, 'welcome')
      second.socket.send(sign({ ...welcome, sessionId: 'S'.repeat(32) }))
      t.match(await moved, { sessionId: 'S'.repeat(32) })
      t.match(await receive(), /"type":"bye"/)
      const repeated = JSON.parse(await second.receive())
      t.match(repeated, { type: 'validate', seq: 2 }, 'what was open is asked again')
      second.socket.send(
        sign({ type: 'validation', seq: 2, re: repeated.seq, valid: true, code: 'VALID', serviceId: 'svc' })
      )
      t.match(await asked, { code: 'VALID' })
      t.same(states, [])
    })
  }
})

t.test('in a session: only a signed 44xx in sequence is the end', async t => {
  const error = (code: string, seq = 2) => ({ type: 'error', seq, code, message: 'x' })
  await t.test('signed 44xx', async t => {
    const { client, socket, timers } = await welcomed(t)
    const asked = client.validate(question)
    const stopped = event(client, 'stopped')
    socket.send(sign(error('SESSION_REVOKED')))
    t.match(await stopped, { code: 'SESSION_REVOKED' })
    await t.rejects(asked, { code: 'SESSION_REVOKED' })
    t.same(timers.running(), [])
  })
  const passing: [string, string][] = [
    ['signed 45xx', sign(error('DRAINING'))],
    ['unsigned', JSON.stringify(error('SESSION_REVOKED'))],
    ['signed, of another seq', sign(error('SESSION_REVOKED', 3))],
    ['signed with another key', signText('x', JSON.stringify(error('SESSION_REVOKED')))],
    ['the welcome once more', sign(welcome)],
    ['no frame at all', 'hello']
  ]
  for (const [name, frame] of passing) {
    await t.test(name, async t => {
      const { client, socket, timers } = await welcomed(t)
      const lost = event(client, 'lost')
      socket.send(frame)
      await lost
      t.equal(client.state, 'connecting')
      t.same(timers.running(), [250])
    })
  }
  await t.test('with re it answers, and the session goes on', async t => {
    const { client, socket, receive } = await welcomed(t)
    const asked = client.validate(question)
    const { seq } = JSON.parse(await receive())
    socket.send(sign({ ...error('RATE_LIMITED'), re: seq, retryAfterMs: 5 }))
    await t.rejects(asked, { code: 'RATE_LIMITED', retryAfterMs: 5 })
    socket.send(sign({ type: 'newfangled', seq: 3 }))
    const again = client.validate(question)
    const { seq: next } = JSON.parse(await receive())
    socket.send(sign({ type: 'validation', seq: 4, re: next, valid: false, code: 'NEW_CODE', serviceId: 'svc' }))
    t.match(await again, { valid: false, code: 'NEW_CODE' }, 'an unknown type took its seq')
  })
})

t.test('a swapped answer settles no other question', async t => {
  const { client, socket, receive } = await welcomed(t)
  const first = client.validate({ ...question, key: 'a' })
  const second = client.validate({ ...question, key: 'b' })
  const [a, b] = [JSON.parse(await receive()), JSON.parse(await receive())]
  const answer = (seq: number, re: number, code: string) =>
    socket.send(sign({ type: 'validation', seq, re, valid: code === 'VALID', code, serviceId: 'svc' }))
  answer(2, b.seq, 'VALID')
  answer(3, a.seq, 'NOT_FOUND')
  t.match(await first, { code: 'NOT_FOUND' })
  t.match(await second, { code: 'VALID' })
})

t.test('heartbeats go out by themselves; without an answer the connection is given up', async t => {
  const { client, socket, timers, receive } = await welcomed(t)
  timers.advance(15_000)
  t.match(await receive(), /"type":"heartbeat","seq":2/)
  const answered = event(client, 'frame')
  socket.send(sign({ type: 'heartbeat', seq: 2, re: 2, serverTime: 1 }))
  await answered
  timers.advance(15_000)
  t.match(await receive(), /"seq":3/)
  const lost = event(client, 'lost')
  timers.advance(9999)
  t.equal(client.state, 'connected')
  timers.advance(1)
  t.match(await lost, { reason: 'no answer to a heartbeat' })
})

t.test('a gateway that says nothing is given up after 10 s', async t => {
  const liar = await startLiar(t)
  const { client, timers } = manual(t, liar.url)
  client.connect()
  const { socket } = await liar.next()
  timers.advance(10_000)
  await once(socket, 'close')
  t.same(timers.running(), [250])
})

t.test('bug: a key that went away while the client was offline is not tried for ever at full speed', async t => {
  const { liar, client, socket, timers } = await welcomed(t)
  const trouble = event(client, 'trouble')
  const lost = event(client, 'lost')
  socket.terminate()
  await lost
  for (const pause of [250, 500, 1000]) {
    t.same(timers.running(), [pause])
    timers.advance(pause)
    const next = await liar.next()
    next.socket.send(challenge)
    await next.receive()
    next.socket.send('{"type":"error","code":"AUTHENTICATION_FAILED","message":"authentication failed"}')
    await once(next.socket, 'close')
  }
  t.same(timers.running(), [70_000])
  timers.advance(70_000)
  for (let i = 0; i < 2; i++) {
    const next = await liar.next()
    next.socket.terminate()
    await until('it waits again', () => timers.running().length === 1 && (timers.running()[0] ?? 0) > 10_000)
    timers.advance(70_000)
  }
  t.match(await trouble, { tries: 6 })
})

t.test('close in any listener leaves no timer and no connection behind', async t => {
  for (const name of ['state', 'welcome', 'frame', 'lost'] as const) {
    await t.test(name, async t => {
      const liar = await startLiar(t)
      const { client, timers } = manual(t, liar.url)
      client.on(name, () => client.close())
      client.connect()
      if (name !== 'state') {
        const { socket, receive } = await liar.next()
        socket.send(challenge)
        if (name !== 'frame') {
          await receive()
          socket.send(sign(welcome))
          if (name === 'lost') socket.close(1001)
        }
        await once(socket, 'close')
      }
      await new Promise(resolve => setImmediate(resolve))
      t.same(timers.running(), [])
      t.equal(client.state, 'disconnected')
    })
  }
})

t.test('pauses: full jitter, growing, bounded', async t => {
  t.same(
    [1, 2, 3, 6, 7, 100].map(failures => pauseMs(failures, 1, false)),
    [500, 1000, 2000, 16_000, 20_000, 20_000]
  )
  t.equal(pauseMs(5, 0, false), 0)
  t.equal(pauseMs(5, 0, false, 7000), 7000, 'what was asked for')
  t.equal(pauseMs(5, 0, false, 1e9), 60_000, 'within reason')
  t.ok(pauseMs(3, 0, true) >= 60_000 && pauseMs(9, 0, true) >= 60_000)
})

t.test('both makers of MACs make the same session', async t => {
  const body = '{"type":"x"}'
  t.equal(createNodeMac(serverKey).ofText(body), createPortableMac(serverKey).ofText(body))
})
