import t from 'tap'
import { maxRequestsInFlight } from '../../src/http/request-tracker.js'
import { startGateway } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { upgrade } from '../ws/upgrade.js'
import { head, metric, openSocket } from './raw-socket.js'

/** Bounds on sockets and on the requests of one socket (docs/operating.md, Limits). */

t.test('bug: a socket could pipeline any number of requests', async t => {
  const gateway = await startGateway(t)
  for (const path of ['/livez', '/nothing', '/metrics', '/v1/admin/clients']) {
    const flood = await openSocket(t, gateway)
    flood.send(head(`GET ${path}`).repeat(1000))
    const answers = (await flood.closed()).split('HTTP/1.1 ').slice(1)
    t.ok(answers.length <= maxRequestsInFlight + 1, path)
    t.match(answers.at(-1), /^429 [\s\S]*connection: close[\s\S]*the limit is 16/, 'its last answer states why')
    t.notMatch(answers.slice(0, -1).join(''), /^429/m)
  }
  t.ok((await metric(gateway, 'countersign_sockets_refused_total{reason="pipelined"}')) >= 4)
  const modest = await openSocket(t, gateway)
  modest.send(head('GET /livez').repeat(maxRequestsInFlight))
  await modest.until(new RegExp(`(HTTP/1.1 200[\\s\\S]*){${maxRequestsInFlight}}`))
  t.pass('as many as the bound are answered')
})

t.test('closes a socket after its last request', async t => {
  const gateway = await startGateway(t)
  t.equal(gateway.app.server.server.maxRequestsPerSocket, 10_000)
  gateway.app.server.server.maxRequestsPerSocket = 2
  const socket = await openSocket(t, gateway)
  socket.send(head('GET /livez'))
  await socket.until(/200 OK/)
  socket.send(head('GET /livez'))
  await socket.until(/connection: close/i)
  socket.send(head('GET /livez'))
  t.equal((await socket.closed()).split('HTTP/1.1 ').length, 3, 'a third request is not answered')
})

t.test('counts a socket as unverified until it carries a session or a valid token', async t => {
  const gateway = await startGateway(t)
  const unverified = () => gateway.app.server.server.listening && metric(gateway, 'countersign_unverified_sockets')
  t.equal(await metric(gateway, 'countersign_unverified_sockets_limit'), 16_384)
  const before = Number(await unverified())
  const idle = await openSocket(t, gateway)
  const bearer = await openSocket(t, gateway)
  const wire = await gateway.wire()
  t.equal(await unverified(), before + 3)
  wire.authenticate(await gateway.createClient())
  await wire.next('welcome')
  const { authorization } = { authorization: 'Bearer test-admin-token-0123456789-0123456789' }
  bearer.send(head('GET /v1/admin/clients', { authorization }))
  await bearer.until(/200 OK/)
  // The sockets of `fetch` come and go; only the idle one is certain to be left.
  await until('two of the three are verified', async () => Number(await unverified()) <= before + 1)
  t.equal(idle.socket.destroyed, false)
})

t.test('bug: a refused upgrade left its socket open', async t => {
  const gateway = await startGateway(t)
  const socket = await openSocket(t, gateway)
  const headers = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': 13 }
  socket.send(
    head('GET /v1/ws', { ...headers, 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==', origin: 'https://evil.example' })
  )
  t.match(await socket.closed(), /403 Forbidden/)
  t.equal((await upgrade(gateway)).status, 101)
})
