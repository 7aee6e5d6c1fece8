import { once } from 'node:events'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t from 'tap'
import { requestsPerMinute } from '../../src/http/rate-limit.js'
import { startGateway, testAdminToken } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { certificate, privateKey } from './certificate.js'
import { head, openSocket } from './raw-socket.js'

t.test('the same bounds hold over TLS', async t => {
  const dir = t.testdir({ 'cert.pem': certificate, 'key.pem': privateKey })
  const tls = { certFile: join(dir, 'cert.pem'), keyFile: join(dir, 'key.pem') }
  const { app, url, clock } = await startGateway(t, { config: { tls } })
  t.match(app.server.server, { headersTimeout: 10_000, requestTimeout: 20_000, maxRequestsPerSocket: 10_000 })
  const socket = connect({
    port: Number(new URL(url).port),
    host: '127.0.0.1',
    ca: certificate,
    checkServerIdentity: () => undefined
  })
  t.teardown(() => socket.destroy())
  await once(socket, 'secureConnect')
  let text = ''
  socket.on('data', bytes => {
    text += bytes
  })
  const unverified = async () => {
    clock.advance(1000)
    text = ''
    socket.write(head('GET /metrics'))
    await until('the metrics arrive', () => /\ncountersign_unverified_sockets \d+\n[\s\S]*\n$/.test(text))
    return Number(/\ncountersign_unverified_sockets (\d+)\n/.exec(text)?.[1])
  }
  t.equal(await unverified(), 1)
  text = ''
  socket.write(head('GET /v1/admin/clients', { authorization: `Bearer ${testAdminToken}` }))
  await until('the token is accepted', () => text.includes('200 OK'))
  t.equal(await unverified(), 0)
  socket.write(head('GET /livez').repeat(20))
  await once(socket, 'close')
})

t.test('plain HTTP and failed handshakes on a TLS port count for their address', async t => {
  const dir = t.testdir({ 'cert.pem': certificate, 'key.pem': privateKey })
  const tls = { certFile: join(dir, 'cert.pem'), keyFile: join(dir, 'key.pem') }
  const gateway = await startGateway(t, { config: { tls, rateLimit: true } })
  const cut = async () => {
    gateway.clock.advance(1000)
    const { payload } = await gateway.app.server.inject('/metrics')
    return Number(/reason="unparsed"\} (\d+)/.exec(payload)?.[1])
  }
  const send = async (bytes: string) => {
    const socket = await openSocket(t, gateway)
    socket.send(bytes)
    await socket.closed()
  }
  await send(head('GET /livez'))
  t.equal(await cut(), 0)
  for (let i = 1; i < requestsPerMinute; i++) await gateway.app.server.inject('/nothing')
  t.equal((await gateway.app.server.inject('/nothing')).statusCode, 429, 'it was counted')
  await send(head('GET /livez'))
  await send('\x16\x03\x01\x00\x02\x01\x00')
  t.equal(await cut(), 2)
})
