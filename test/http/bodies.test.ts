import t from 'tap'
import { maxBodyPieces } from '../../src/http/body-reader.js'
import { requestsPerMinute } from '../../src/http/rate-limit.js'
import { connectBridge } from '../helper/bridge-wire.js'
import { type Gateway, startGateway, testAdminToken } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { head, metric, openSocket } from './raw-socket.js'

/** Bodies of requests: what is read, and how much of it is held at once. */

const exchangePath = (sessionId: string) => `/v1/bridge/sessions/${sessionId}/exchange`
const pending = (gateway: Gateway) => metric(gateway, 'countersign_pending_body_bytes')
const mib = 1024 * 1024

t.test('bug: the body for an unknown session was read before anyone checked the session', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true } })
  const socket = await openSocket(t, gateway)
  socket.send(head(`POST ${exchangePath('x'.repeat(32))}`, { 'content-length': 200_000 }))
  t.match(await socket.until(/\r\n\r\n.+/), /404 Not Found[\s\S]*"code":"SESSION_NOT_FOUND"/)
  t.equal(await pending(gateway), 0)
  for (let i = 0; i < 600; i++) {
    const { status } = await fetch(gateway.url + exchangePath('x'.repeat(32)), { method: 'POST', body: 'x' })
    if (status === 429) break
  }
  const limited = await openSocket(t, gateway)
  limited.send(head(`POST ${exchangePath('x'.repeat(32))}`, { 'content-length': 200_000 }))
  t.match(await limited.until(/\r\n\r\n.+/), /429 Too Many Requests[\s\S]*"code":"RATE_LIMITED"/)
})

t.test('bug: an address over its rate was answered after its body only', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true } })
  for (let i = 0; i < requestsPerMinute; i++) await gateway.app.server.inject('/nothing')
  const socket = await openSocket(t, gateway)
  socket.send(head('POST /v1/publish', { 'content-type': 'application/json', 'content-length': 4000 }))
  t.match(await socket.until(/\r\n\r\n.+/), /429 Too Many Requests[\s\S]*"code":"RATE_LIMITED"/)
})

t.test('reads no body without a token, and none for a path that does not exist', async t => {
  const gateway = await startGateway(t)
  for (const [line, status] of [
    ['POST /v1/admin/clients', 401],
    ['POST /v1/publish', 401],
    ['POST /nothing', 404],
    ['POST /v1/nothing', 404]
  ] as const) {
    const socket = await openSocket(t, gateway)
    socket.send(head(line, { 'content-type': 'application/json', 'content-length': 50_000 }))
    t.match(await socket.until(/\r\n\r\n.+/), new RegExp(`^HTTP/1.1 ${status} `), line)
  }
  t.equal(await pending(gateway), 0)
})

t.test('bug: one address made the gateway hold any number of unfinished bodies', async t => {
  const gateway = await startGateway(t, { config: { pendingBodyBytes: 8 * mib } })
  t.equal(await metric(gateway, 'countersign_pending_body_limit_bytes'), 8 * mib)
  const sockets = await Promise.all(Array.from({ length: 140 }, () => openSocket(t, gateway)))
  for (const socket of sockets) socket.send(`${head('POST /v1/bridge/sessions', { 'content-length': 8000 })}x`)
  const refused = () => sockets.filter(each => each.received().includes(' 503 '))
  await until('9 are refused: 131 times 8,000 bytes fit into an eighth', () => refused().length === 9)
  const refusal = String(await refused()[0]?.closed())
  t.match(
    refusal,
    /503 Service Unavailable[\s\S]*connection: close[\s\S]*"code":"UNAVAILABLE"[\s\S]*"outcome":"unsent"/i
  )
  t.match(refusal, /retry-after: 1/i)
  t.ok((await pending(gateway)) <= mib, 'an eighth')
  const session = await gateway.session(await gateway.createClient())
  t.match(await session.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
  const bridge = await connectBridge(gateway.url)
  t.ok(bridge.challengeToken, 'requests without a body are served')
})

t.test('bug: unfinished exchanges of one session held any number of bytes', async t => {
  const gateway = await startGateway(t, { config: { pendingBodyBytes: 8 * mib }, transport: 'bridge' })
  const session = await gateway.session(await gateway.createClient())
  const { sessionId } = session as unknown as { sessionId: string }
  const sockets = await Promise.all(Array.from({ length: 6 }, () => openSocket(t, gateway)))
  for (const socket of sockets)
    socket.send(`${head(`POST ${exchangePath(sessionId)}`, { 'content-length': 260_000 })}x`)
  await until('two are refused', () => sockets.filter(each => each.received().includes(' 503 ')).length === 2)
  t.equal(await pending(gateway), 4 * 260_000)
  t.ok(await gateway.session(await gateway.createClient()), 'another client has its own share')
  for (const { socket } of sockets) socket.destroy()
  await until('all bytes are given back', async () => (await pending(gateway)) === 0)
})

t.test('a body without a declared length reserves received bytes', async t => {
  const gateway = await startGateway(t)
  const headers = {
    'transfer-encoding': 'chunked',
    'content-type': 'application/json',
    authorization: `Bearer ${testAdminToken}`
  }
  const socket = await openSocket(t, gateway)
  const body = JSON.stringify({
    clientId: 'chunked',
    attributes: Object.fromEntries([...'abcdefgh'].map(n => [n, n.repeat(128)]))
  })
  socket.send(head('POST /v1/admin/clients', headers))
  for (const piece of body.match(/[\s\S]{1,7}/g) ?? []) socket.send(`${piece.length.toString(16)}\r\n${piece}\r\n`)
  socket.send('0\r\n\r\n')
  t.match(await socket.until(/\r\n\r\n.+/), /201 Created[\s\S]*"clientId":"chunked"/)
  const large = await openSocket(t, gateway)
  large.send(head('POST /v1/admin/clients', headers))
  for (let i = 0; i < 9; i++) large.send(`2000\r\n${' '.repeat(8192)}\r\n`)
  t.match(await large.closed(), /413 Payload Too Large[\s\S]*connection: close/i)
  await until('all bytes are given back', async () => (await pending(gateway)) === 0)
})

t.test(`bug: a body could arrive in any number of pieces`, async t => {
  const gateway = await startGateway(t)
  const headers = {
    'transfer-encoding': 'chunked',
    'content-type': 'application/json',
    authorization: `Bearer ${testAdminToken}`
  }
  const socket = await openSocket(t, gateway)
  socket.send(head('POST /v1/admin/clients', headers) + '1\r\n \r\n'.repeat(maxBodyPieces + 1))
  t.match(await socket.closed(), /400 Bad Request[\s\S]*more than 8192 pieces/)
})

t.test('gives the bytes back however a request ends', async t => {
  const gateway = await startGateway(t)
  const authorization = `Bearer ${testAdminToken}`
  const headers = { 'content-type': 'application/json', authorization }
  const send = async (body: string, length = body.length) => {
    const socket = await openSocket(t, gateway)
    socket.send(head('POST /v1/publish', { ...headers, 'content-length': length }) + body)
    return socket
  }
  await (await send('{"channel":"a","data":1}')).until(/200 OK/)
  await (await send('{')).until(/400 Bad Request/)
  const aborted = await send('{"channel"', 100)
  await until('its bytes are reserved', async () => (await pending(gateway)) === 100)
  aborted.socket.destroy()
  const pipelined = await openSocket(t, gateway)
  const body = '{"channel":"a","data":1}'
  pipelined.send((head('POST /v1/publish', { ...headers, 'content-length': body.length }) + body).repeat(10))
  pipelined.socket.destroy()
  await until('all bytes are given back', async () => (await pending(gateway)) === 0)
})
