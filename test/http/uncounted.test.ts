import { pino } from 'pino'
import t, { type Test } from 'tap'
import { foreignPerMinute, requestsPerMinute } from '../../src/http/rate-limit.js'
import { type Gateway, startGateway, testAdminToken } from '../helper/gateway.js'
import { upgrade } from '../ws/upgrade.js'
import { head, openSocket } from './raw-socket.js'

/** Requests that Node or the framework would answer before any rate counts them. */

const authorization = `Bearer ${testAdminToken}`

t.test('bug: requests that no route serves were outside all rates', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true } })
  const kinds: Record<string, string> = {
    'an unknown expectation': head('GET /nothing', { expect: 'x' }),
    'a malformed path': head('GET /%zz'),
    'a path of slashes': head('GET //'),
    'an absolute path': head('GET http://gateway.test//'),
    'an asterisk': head('OPTIONS *'),
    'a method that no route has': head('PROPFIND /'),
    'a method that no route has, of a path that exists': head('PURGE /v1/publish'),
    'a parameter that is too long': head(`DELETE /v1/admin/clients/${'x'.repeat(2000)}`),
    'an upgrade to another path': head('GET /nothing', { connection: 'upgrade', upgrade: 'websocket' }),
    'an upgrade to another protocol': head('GET /nothing', { connection: 'upgrade', upgrade: 'h2c' }),
    'no Host header': 'GET /livez HTTP/1.1\r\n\r\n',
    'two Host headers': 'GET /livez HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n'
  }
  const statusOf = async (request: string) => {
    const socket = await openSocket(t, gateway)
    socket.send(request)
    const answer = await socket.until(/\r\n\r\n/)
    socket.socket.destroy()
    return Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1])
  }
  for (const [name, request] of Object.entries(kinds)) {
    const status = await statusOf(request)
    t.ok(status >= 400 && status < 500 && status !== 429, `${name}: ${status}`)
  }
  for (let i = 0; i < requestsPerMinute; i++) await gateway.app.server.inject('/nothing')
  for (const [name, request] of Object.entries(kinds)) t.equal(await statusOf(request), 429, name)
  t.equal(await statusOf(head('GET /readyz')), 200, 'a monitor behind the same address')
})

t.test('bug: requests of pages of other origins were outside all rates', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true } })
  const headers = { origin: 'https://evil.example' }
  const foreign = async () => (await gateway.app.server.inject({ url: '/v1/publish', headers })).statusCode
  for (let i = 0; i < foreignPerMinute; i++) await foreign()
  t.equal(await foreign(), 429)
  t.equal((await upgrade(gateway, headers)).status, 429)
  t.equal((await gateway.admin('GET', '/clients')).status, 200, 'others behind the address are not concerned')
  t.ok(await gateway.session(await gateway.createClient()))
})

t.test('bug: a request that offered an upgrade to another protocol got 404', async t => {
  const gateway = await startGateway(t)
  const body = JSON.stringify({ clientId: 'made' })
  const offers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQAAP__' }
  const answerTo = async (request: string) => {
    const socket = await openSocket(t, gateway)
    socket.send(request)
    return socket.closed()
  }
  t.match(await answerTo(head('GET /livez', offers)), /^HTTP\/1.1 200 OK[\s\S]*connection: close/i)
  const json = { authorization, 'content-type': 'application/json', 'content-length': body.length }
  t.match(await answerTo(head('POST /v1/admin/clients', { ...offers, ...json }) + body), /^HTTP\/1.1 201 Created/)
  t.match(await answerTo(head('GET /livez', { connection: 'upgrade, close', upgrade: 'TLS/1.0' })), /200 OK/)
  t.ok((await gateway.app.server.inject('/livez')).statusCode === 200)
})

t.test('bug: pipelined offers of an upgrade escaped the bounds of their socket', async t => {
  const gateway = await startGateway(t)
  const offer = head('GET /livez', { connection: 'upgrade', upgrade: 'a' })
  for (const requests of [offer.repeat(500), head('GET /livez') + offer.repeat(500)]) {
    const socket = await openSocket(t, gateway)
    socket.send(requests)
    const answers = (await socket.closed()).match(/HTTP\/1.1/g) ?? []
    t.ok(answers.length <= 2, `${answers.length} answers, then the socket is closed`)
  }
})

t.test('an unknown expectation is ignored', async t => {
  const gateway = await startGateway(t)
  const socket = await openSocket(t, gateway)
  socket.send(head('GET /livez', { expect: 'miracles' }))
  t.match(await socket.until(/"status":"ok"/), /^HTTP\/1.1 200 OK/)
})

/** Sends these bytes on a socket of their own. @returns all that is received until it is closed */
async function sent(t: Test, gateway: Gateway, bytes: string): Promise<string> {
  const socket = await openSocket(t, gateway)
  socket.send(bytes)
  return socket.closed()
}

const unparsed: Record<string, readonly [bytes: string, status: number, code: string]> = {
  'a tunnel': [head('CONNECT gateway.test:443'), 400, 'BAD_REQUEST'],
  'no HTTP': ['\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', 400, 'BAD_REQUEST'],
  'HTTP/2 without TLS': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'BAD_REQUEST'],
  'two lengths': [head('POST /v1/publish', { 'content-length': '1\r\ncontent-length: 2' }), 400, 'BAD_REQUEST'],
  'a header that is too large': [head('GET /livez', { x: 'x'.repeat(20_000) }), 431, 'HEADERS_TOO_LARGE']
}

t.test('bug: CONNECT and unparseable input were outside all rates', async t => {
  const lines: { readonly msg: string; readonly code?: string; readonly reason?: string }[] = []
  const logger = pino({ level: 'info' }, { write: line => void lines.push(JSON.parse(line)) })
  const gateway = await startGateway(t, { config: { rateLimit: true }, logger })
  for (const [name, [bytes, status, code]] of Object.entries(unparsed)) {
    const answer = await sent(t, gateway, bytes)
    t.match(answer, new RegExp(`^HTTP/1.1 ${status} [^]*connection: close[^]*"code":"${code}"`), name)
    t.equal(answer.match(/HTTP\/1.1/g)?.length, 1)
  }
  t.match(lines.filter(({ msg }) => msg === 'request refused')[0], { code: 'BAD_REQUEST', reason: 'CONNECT' })
  t.equal(lines.filter(({ msg }) => msg === 'request refused').length, 5, 'a line each, at most 10 of a code')
  for (let i = 5; i < requestsPerMinute; i++) await gateway.app.server.inject('/nothing')
  t.equal(
    (await gateway.app.server.inject('/nothing')).statusCode,
    429,
    'they count with the requests of their address'
  )
  for (const [name, [bytes]] of Object.entries(unparsed)) t.equal(await sent(t, gateway, bytes), '', `${name}: cut`)
  const floods = lines.filter(({ msg }) => msg === 'a peer is above its rate: RATE_LIMITED')
  t.match(floods, [{ remoteAddress: '127.0.0.1' }])
  t.equal(floods.length, 1, 'one line for its address')
  const cut = /countersign_sockets_refused_total\{reason="unparsed"\} 5/
  t.match(await (await fetch(`${gateway.url}/metrics`)).text(), cut)
})

t.test('unparseable input is not counted for a trusted proxy', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true, trustProxy: ['127.0.0.1'] } })
  for (let i = 0; i <= requestsPerMinute; i++) await gateway.app.server.inject('/nothing')
  for (const [bytes, status] of Object.values(unparsed)) {
    t.match(await sent(t, gateway, bytes), new RegExp(`^HTTP/1.1 ${status} `))
  }
})

t.test('CONNECT behind open requests closes the socket without an answer', async t => {
  const gateway = await startGateway(t)
  const answer = await sent(t, gateway, head('GET /readyz') + head('CONNECT gateway.test:443'))
  t.notMatch(answer, /BAD_REQUEST/)
})
