import t from 'tap'
import { type Gateway, startGateway, testAdminToken } from '../helper/gateway.js'
import { upgrade } from '../ws/upgrade.js'
import { head, openSocket } from './raw-socket.js'

/** Rules for every request: origins, Host, and the headers of answers. */

const json = { 'content-type': 'application/json', authorization: `Bearer ${testAdminToken}` }
const evil = { origin: 'https://evil.example' }
const crossSite = { 'sec-fetch-site': 'cross-site' }

const doors = [
  ['POST', '/v1/bridge/challenge'],
  ['POST', '/v1/bridge/sessions'],
  ['POST', `/v1/bridge/sessions/${'x'.repeat(32)}/exchange`],
  ['POST', '/v1/tickets'],
  ['POST', '/v1/publish'],
  ['GET', '/v1/admin/clients'],
  ['GET', '/v1/nothing'],
  ['GET', '/%761/admin/clients']
] as const

t.test('bug: a page of another origin used up the limits of its visitors', async t => {
  const gateway = await startGateway(t, {
    config: { rateLimit: true, handshakesPerMinute: 5, failedHandshakesPerMinute: 3 }
  })
  for (const headers of [evil, crossSite]) {
    for (const [method, path] of doors) {
      const answer = await fetch(gateway.url + path, { method, headers: { ...json, ...headers } })
      const { code, message, type } = await answer.json()
      t.same([answer.status, code], [403, 'PERMISSION_DENIED'], path)
      t.match(message, /COUNTERSIGN_ALLOWED_ORIGINS/)
      t.equal(type, path.startsWith('/v1/bridge/') ? 'error' : undefined)
    }
    for (let i = 0; i < 21; i++) {
      const answer = await fetch(`${gateway.url}/v1/bridge/sessions`, { method: 'POST', headers, body: '{}' })
      t.equal(answer.status, 403)
      t.equal((await upgrade(gateway, headers)).status, 403)
    }
  }
  t.ok(await gateway.session(await gateway.createClient()), 'nothing was counted')
})

t.test('allows the gateway itself, its own pages, listed origins, and programs', async t => {
  const status = async (gateway: Gateway, headers: Record<string, string>) =>
    (await fetch(`${gateway.url}/v1/admin/clients`, { headers: { ...json, ...headers } })).status
  const own = await startGateway(t)
  for (const headers of [
    {},
    { origin: own.url },
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
    { origin: 'http://localhost:3000', ...crossSite }
  ]) {
    t.equal(await status(own, headers), 200, JSON.stringify(headers))
  }
  const list = await startGateway(t, { config: { allowedOrigins: { kind: 'list', origins: ['https://a.example'] } } })
  t.equal(await status(list, { origin: 'https://a.example', ...crossSite }), 200)
  t.equal(await status(list, crossSite), 403)
  const any = await startGateway(t, { config: { allowedOrigins: { kind: 'any' } } })
  t.equal(await status(any, { ...evil, ...crossSite }), 200)
  t.equal(await status(any, crossSite), 200)
  t.equal((await fetch(`${own.url}/livez`, { headers: evil })).status, 200, 'health is no API')
})

t.test('bug: a request with two Host headers was served', async t => {
  const gateway = await startGateway(t)
  const upgradeLines =
    'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
  for (const [name, text] of [
    ['two', 'GET /livez HTTP/1.1\r\nhost: a\r\nHost: a\r\n\r\n'],
    ['two, one of them empty', 'GET /livez HTTP/1.1\r\nhost: a\r\nHOST:\r\n\r\n'],
    ['two on an upgrade', `GET /v1/ws HTTP/1.1\r\nhost: a\r\nhost: b\r\n${upgradeLines}\r\n`],
    ['none', 'GET /livez HTTP/1.1\r\n\r\n'],
    ['none on an upgrade', `GET /v1/ws HTTP/1.1\r\n${upgradeLines}\r\n`],
    ['a length twice', 'POST /v1/publish HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx'],
    [
      'a length and chunks',
      'POST /v1/publish HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n'
    ],
    ['no HTTP', 'hello\r\n\r\n']
  ] as const) {
    const socket = await openSocket(t, gateway)
    socket.send(String(text))
    t.match(await socket.until(/\r\n\r\n/), /^HTTP\/1.1 400 Bad Request/, name)
  }
  const old = await openSocket(t, gateway)
  old.send('GET /livez HTTP/1.0\r\n\r\n')
  t.match(await old.closed(), /200 OK/, 'HTTP/1.0 has no Host')
  const long = await openSocket(t, gateway)
  long.send(head('GET /livez', { long: 'x'.repeat(20_000) }))
  t.match(await long.closed(), /431 [\s\S]*"code":"HEADERS_TOO_LARGE"/)
})

t.test('bug: answers with secrets could be stored and sniffed', async t => {
  const gateway = await startGateway(t)
  const body = JSON.stringify({ clientId: 'a' })
  for (const [path, init] of [
    ['/v1/admin/clients', { method: 'POST', body, headers: json }],
    ['/v1/admin/clients', { method: 'POST', body: '{', headers: json }],
    ['/v1/admin/clients', {}],
    ['/v1/admin/nothing', {}],
    ['/v1/admin/clients', { headers: evil }],
    ['/v1/bridge/challenge', { method: 'POST' }],
    ['/v1/bridge/sessions', { method: 'POST', body: 'x' }],
    ['/v1/bridge/sessions/%ZZ/exchange', { method: 'POST' }],
    ['/%ZZ', {}],
    ['/livez', {}]
  ] as const) {
    const { headers } = await fetch(gateway.url + path, init)
    t.same([headers.get('cache-control'), headers.get('x-content-type-options')], ['no-store', 'nosniff'], path)
  }
})
