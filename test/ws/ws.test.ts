import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import type WebSocket from 'ws'
import { codes } from '../../src/protocol/codes.js'
import { inboxFrames } from '../../src/session/connection.js'
import type { Store } from '../../src/store/store.js'
import { type Gateway, startGateway } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'
import { until } from '../helper/until.js'
import { connectWire, patienceMs } from '../helper/wire.js'
import { transportSuite } from '../transport/transport.suite.js'

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`sessions over ws, ${kind}`, t => {
    transportSuite(t, {
      transport: 'ws',
      openStore,
      async ended(t, wire, code) {
        if (code === 'bye') {
          t.match(await wire.closed(), { code: 1000 })
          return
        }
        const { close } = codes[code] as { close?: number }
        t.same(await wire.closed(), { code: close, reason: code })
      }
    })
    t.end()
  })
}

/** An upgrade by hand. @returns the HTTP answer, also where it is a refusal */
async function upgrade(gateway: Gateway, headers: Record<string, string> = {}, path = '/v1/ws') {
  const request = httpRequest(gateway.url + path, {
    headers: {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': Buffer.alloc(16).toString('base64'),
      ...headers
    },
    agent: false,
    signal: AbortSignal.timeout(patienceMs)
  })
  const outcome = Promise.race([once(request, 'response'), once(request, 'upgrade')])
  request.end()
  const [response, socket] = await outcome
  let text = ''
  if (socket === undefined) for await (const chunk of response) text += chunk
  else socket.destroy()
  return { status: response.statusCode, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
}

t.test('subprotocol: ours, none, but not another alone', async t => {
  const gateway = await startGateway(t)
  const ours = await upgrade(gateway, { 'sec-websocket-protocol': 'other, countersign.v1' })
  t.match(ours, { status: 101, headers: { 'sec-websocket-protocol': 'countersign.v1' } })
  const none = await upgrade(gateway)
  t.equal(none.status, 101)
  t.equal(none.headers['sec-websocket-protocol'], undefined)
  const other = await upgrade(gateway, { 'sec-websocket-protocol': 'countersign.v2' })
  t.match(other, { status: 400, body: { code: 'UNSUPPORTED_PROTOCOL' } })
})

t.test('origins: own and loopback pages by default, a list, or any', async t => {
  const own = await startGateway(t)
  const status = async (gateway: Gateway, origin: string, host?: string) =>
    (await upgrade(gateway, { origin, ...(host === undefined ? {} : { host }) })).status
  t.equal(await status(own, 'https://evil.example'), 403)
  t.equal(await status(own, 'null'), 403)
  t.equal(await status(own, 'https://gate.example', 'gate.example'), 101)
  t.equal(await status(own, 'https://gate.example.evil.example', 'gate.example'), 403)
  for (const origin of ['http://localhost:3000', 'http://127.0.0.1:5173', 'http://[::1]:1']) {
    t.equal(await status(own, origin), 101, origin)
  }
  t.equal(await status(own, 'http://localhost.evil.example'), 403)
  const list = await startGateway(t, { config: { allowedOrigins: { kind: 'list', origins: ['https://a.example'] } } })
  t.equal(await status(list, 'https://a.example'), 101)
  t.equal(await status(list, 'http://a.example'), 403)
  t.equal(await status(list, 'http://localhost'), 403)
  const any = await startGateway(t, { config: { allowedOrigins: { kind: 'any' } } })
  t.equal(await status(any, 'https://evil.example'), 101)
})

t.test('an upgrade elsewhere is refused, and a plain GET is told to upgrade', async t => {
  const gateway = await startGateway(t)
  for (const path of ['/livez', '/nothing', '/v1/admin/clients']) {
    t.not((await upgrade(gateway, {}, path)).status, 101, path)
  }
  const plain = await fetch(`${gateway.url}/v1/ws`)
  t.equal(plain.status, 426)
  t.match(await plain.json(), { code: 'BAD_REQUEST' })
})

t.test('without a store the upgrade gets 503', async t => {
  const { StoreUnavailable } = await import('../../src/store/store.js')
  const { store } = await stores.embedded(t, Date.now)
  const put = () => Promise.reject(new StoreUnavailable())
  const gateway = await startGateway(t, { store: { ...store, challenges: { ...store.challenges, put } } })
  t.match(await upgrade(gateway), { status: 503, body: { code: 'UNAVAILABLE' }, headers: { 'retry-after': '1' } })
})

t.test('an instance has room for so many', async t => {
  const gateway = await startGateway(t, { config: { maxSessions: 2 } })
  const credential = await gateway.createClient()
  await gateway.session(credential)
  const waiting = await gateway.wire()
  await gateway.app.tick()
  t.match(await upgrade(gateway), { status: 503, body: { code: 'UNAVAILABLE' } })
  waiting.socket.terminate()
  await once(waiting.socket, 'close')
  let status = 503
  while (status === 503) ({ status = 503 } = await upgrade(gateway))
  t.equal(status, 101)
})

t.test('what WebSocket itself refuses closes unsigned, and the gateway lives', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient()
  const bystander = await gateway.session(credential)
  const closes = async (name: string, send: (socket: WebSocket) => void, code: number) =>
    t.test(name, async t => {
      for (const open of [() => gateway.wire(), () => gateway.session(credential)]) {
        const wire = await open()
        send(wire.socket)
        t.equal((await wire.closed()).code, code)
      }
    })
  await closes('binary', socket => socket.send(Buffer.from('{}')), 1003)
  await closes('65537 bytes', socket => socket.send('x'.repeat(65_537)), 1009)
  await closes('megabytes', socket => socket.send('x'.repeat(5_000_000)), 1009)
  await closes('broken UTF-8', socket => socket.send(Buffer.of(0x7b, 0xff), { binary: false }), 1007)
  await closes('an encoded surrogate', socket => socket.send(Buffer.of(0xed, 0xa0, 0x80), { binary: false }), 1007)
  await closes(
    'endless fragments',
    socket => {
      for (let i = 0; i < 5000; i++) socket.send('', { fin: false })
    },
    1008
  )
  t.match(await bystander.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
})

t.test('a frame in fragments is one frame', async t => {
  const gateway = await startGateway(t)
  const wire = await gateway.session(await gateway.createClient())
  const frame = wire.sign({ type: 'heartbeat', seq: wire.seq++, x: '👋' })
  const bytes = Buffer.from(frame)
  for (let i = 0; i < bytes.length; i++) {
    wire.socket.send(bytes.subarray(i, i + 1), { binary: false, fin: i === bytes.length - 1 })
  }
  t.match(await wire.next(), { type: 'heartbeat' })
})

t.test('half-closed, silent and cut sockets hurt nobody', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient()
  const { hostname, port } = new URL(gateway.url)
  const half = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  half.on('error', () => {})
  half.write(
    'GET /v1/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n' +
      'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
  )
  await once(half, 'data')
  half.end()
  await once(half, 'close')
  const cut = await gateway.session(credential)
  cut.socket.terminate()
  const silent = await gateway.wire()
  gateway.clock.advance(10_000)
  await gateway.app.tick()
  t.equal((await silent.closed()).code, 4400)
  const wire = await gateway.session(credential)
  t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
  while (gateway.app.sessionCount() > 1) await wire.ask({ type: 'heartbeat' })
  t.equal(await gateway.store.sessions.count(), 1, 'the cut one is gone')
})

t.test('frames of a flood wait in the network, not in memory, and none is lost', async t => {
  const gateway = await startGateway(t)
  await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
  const wire = await gateway.session(await gateway.createClient())
  const count = inboxFrames * 20
  for (let i = 0; i < count; i++) wire.send({ type: 'validate', serviceId: 'svc', hwid: 'h', key: 'key' })
  for (let i = 0; i < count; i++) t.match(await wire.next(), { code: 'VALID', re: i + 2 })
})

t.test('bug: the ack of a bye came before its seat and its session were free', async t => {
  const { store } = await stores.embedded(t, Date.now)
  const gate = { waits: false, open: () => {} }
  const seats: Store['licenseSlots'] = {
    ...store.licenseSlots,
    async releaseAll(sessionId) {
      await new Promise<void>(open => Object.assign(gate, { waits: true, open }))
      await store.licenseSlots.releaseAll(sessionId)
    }
  }
  const gateway = await startGateway(t, { store: { ...store, licenseSlots: seats } })
  await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key', maxSessions: 1 })
  const wire = await gateway.session(await gateway.createClient())
  const { licenseId } = await wire.ask({ type: 'validate', serviceId: 'svc', hwid: 'h', key: 'key' })
  let acked = false
  wire.send({ type: 'bye' })
  const ack = wire.next('ack').then(() => {
    acked = true
  })
  await until('the seat is being released', () => gate.waits)
  // Whatever was written before comes before the pong.
  wire.socket.ping()
  await once(wire.socket, 'pong')
  t.equal(acked, false)
  gate.open()
  await ack
  t.ok(await store.licenseSlots.acquire(String(licenseId), 'another', 1, Date.now() + 1000, Date.now()))
  t.equal(await store.sessions.count(), 0)
})

t.test('bug: who said bye and closed without waiting for the ack was counted as lost', async t => {
  const { store } = await stores.embedded(t, Date.now)
  let open = () => {}
  const gate = new Promise<void>(resolve => {
    open = resolve
  })
  const end: Store['sessions']['end'] = id => gate.then(() => store.sessions.end(id))
  const gateway = await startGateway(t, { store: { ...store, sessions: { ...store.sessions, end } } })
  const wire = await gateway.session(await gateway.createClient())
  wire.send({ type: 'bye' })
  wire.socket.close(1000)
  await wire.closed()
  await until('it has ended', () => gateway.app.sessionCount() === 0)
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
  t.match(metrics, /sessions_ended_total\{transport="ws",code="bye"\} 1/)
  open()
})

t.test('a bye is answered without a store as well', async t => {
  const { StoreUnavailable } = await import('../../src/store/store.js')
  const { store } = await stores.embedded(t, Date.now)
  const end = () => Promise.reject(new StoreUnavailable())
  const gateway = await startGateway(t, { store: { ...store, sessions: { ...store.sessions, end } } })
  const wire = await gateway.session(await gateway.createClient())
  t.match(await wire.ask({ type: 'bye' }), { type: 'ack' })
  t.equal((await wire.closed()).code, 1000)
  t.equal(gateway.app.sessionCount(), 0)
})

t.test('frames before the welcome are handled after it, in order', async t => {
  const gateway = await startGateway(t)
  const wire = await gateway.wire()
  wire.authenticate(await gateway.createClient())
  wire.send({ type: 'heartbeat' })
  wire.send({ type: 'heartbeat' })
  t.match(await wire.next('welcome'), { re: 1 })
  t.match(await wire.next('heartbeat'), { re: 2 })
  t.match(await wire.next('heartbeat'), { re: 3 })
})

t.test('whoever does not read is let go', async t => {
  const gateway = await startGateway(t)
  const bystander = await gateway.session(await gateway.createClient())
  const wire = await gateway.session(await gateway.createClient())
  wire.socket.pause()
  const wide = 'x'.repeat(60_000)
  let closed = false
  wire.socket.on('close', () => {
    closed = true
  })
  // Answers to unknown types are small; what fills the way is their number.
  for (let i = 0; i < 200_000 && gateway.app.sessionCount() > 1; i++) {
    wire.send(i % 100 === 0 ? { type: 'heartbeat', wide } : { type: 'heartbeat' })
    if (i % 500 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  t.equal(gateway.app.sessionCount(), 1)
  t.equal(closed, false, 'nothing was read, not even the end')
  t.match(await bystander.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'the others are not hurt')
})

t.test('who does not read its publications is let go, the others have them all', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient({ subscribe: ['*'], publish: ['*'] })
  const [reader, slow, publisher] = await Promise.all([1, 2, 3].map(() => gateway.session(credential)))
  if (reader === undefined || slow === undefined || publisher === undefined) throw new Error('no session')
  for (const wire of [reader, slow]) await wire.ask({ type: 'subscribe', channel: 'c' })
  slow.socket.pause()
  let published = 0
  while (gateway.app.sessionCount() > 2) {
    await publisher.ask({ type: 'publish', channel: 'c', data: 'x'.repeat(30_000) })
    t.match(await reader.next('publication'), { offset: ++published })
  }
  t.match(await (await fetch(`${gateway.url}/metrics`)).text(), /ended_total\{transport="ws",code="SLOW_CONSUMER"\} 1/)
  t.match(await publisher.ask({ type: 'publish', channel: 'c', data: 1 }), { offset: published + 1 })
  t.match(await reader.next('publication'), { data: 1 })
})

t.test('failed handshakes slow their address down, not their client', async t => {
  const gateway = await startGateway(t, {
    config: { rateLimit: true, failedHandshakesPerMinute: 3, trustProxy: ['127.0.0.1'] }
  })
  const credential = await gateway.createClient()
  const from = (address: string) => connectWire(t, gateway.wsUrl, { headers: { 'x-forwarded-for': address } })
  for (let i = 0; i < 3; i++) {
    const wire = await from('203.0.113.1')
    wire.authenticate({ ...credential, secret: 'wrong' })
    t.equal((await wire.closed()).code, 4401)
  }
  const braked = await upgrade(gateway, { 'x-forwarded-for': '203.0.113.1' })
  t.match(braked, { status: 429, body: { code: 'RATE_LIMITED' }, headers: { 'retry-after': '20' } })
  const honest = await from('203.0.113.2')
  honest.authenticate(credential)
  t.ok(await honest.next('welcome'), 'the same client from elsewhere')
  gateway.clock.advance(60_000)
  t.equal((await upgrade(gateway, { 'x-forwarded-for': '203.0.113.1' })).status, 101)
})

t.test('ten thousand failed handshakes from one address leave an honest client of the same id served', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true, trustProxy: ['127.0.0.1'] } })
  const credential = await gateway.createClient()
  const attacker = { 'x-forwarded-for': '203.0.113.1' }
  const wanted = 10_000
  const seen = { refused: 0, braked: 0 }
  async function attack(): Promise<void> {
    while (seen.refused + seen.braked < wanted) {
      if ((await upgrade(gateway, attacker)).status !== 101) {
        seen.braked++
        continue
      }
      const wire = await connectWire(t, gateway.wsUrl, { headers: attacker }).catch(() => undefined)
      if (wire === undefined) seen.braked++
      else {
        wire.authenticate({ ...credential, secret: 'wrong' })
        await wire.closed()
        seen.refused++
      }
    }
  }
  const attackers = Array.from({ length: 20 }, attack)
  const honest = await connectWire(t, gateway.wsUrl, { headers: { 'x-forwarded-for': '203.0.113.2' } })
  honest.authenticate(credential)
  await honest.next('welcome')
  await Promise.all(attackers)
  t.match(await honest.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
  const another = await connectWire(t, gateway.wsUrl, { headers: { 'x-forwarded-for': '203.0.113.3' } })
  another.authenticate(credential)
  t.ok(await another.next('welcome'), `served, while ${seen.refused} were refused and ${seen.braked} braked`)
  t.ok(seen.refused < 60, 'the brake held')
})

t.test('an address begins only so many handshakes a minute', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true, handshakesPerMinute: 2 } })
  t.equal((await upgrade(gateway)).status, 101)
  t.equal((await upgrade(gateway)).status, 101)
  t.match(await upgrade(gateway), { status: 429, body: { code: 'RATE_LIMITED' } })
})

t.test('a stop tells everyone, signed, and takes no longer for who does not answer', async t => {
  const stop = async (t: Test, gateway: Gateway) => {
    const credential = await gateway.createClient()
    const wire = await gateway.session(credential)
    const silent = await gateway.session(credential)
    silent.socket.pause()
    const waiting = await gateway.wire()
    const began = performance.now()
    const stopped = gateway.app.stop()
    t.match(await wire.next('error'), { code: 'DRAINING' })
    t.same(await wire.closed(), { code: 4512, reason: 'DRAINING' })
    t.match(JSON.parse(await waiting.nextText()), { code: 'DRAINING' })
    await stopped
    t.ok(performance.now() - began < 20_000, 'seconds')
  }
  await t.test('embedded', async t => stop(t, await startGateway(t)))
  await t.test('redis', async t => {
    const { store } = await stores.redis(t, Date.now)
    const gateway = await startGateway(t, { store, config: { drainMs: 60_000 } })
    const wire = await gateway.session(await gateway.createClient())
    const stopped = gateway.app.stop()
    const { afterMs } = await wire.next('reconnect')
    t.ok(Number(afterMs) >= 0 && Number(afterMs) <= 30_000)
    t.equal((await fetch(`${gateway.url}/readyz`)).status, 503, 'red while it drains')
    t.equal((await fetch(`${gateway.url}/livez`)).status, 200)
    t.match(await upgrade(gateway), { status: 503, body: { code: 'DRAINING' } })
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'it still answers')
    await wire.ask({ type: 'bye' })
    await stopped
    t.pass('gone as soon as all have moved')
  })
})
