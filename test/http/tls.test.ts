import { once } from 'node:events'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t from 'tap'
import { startGateway, testAdminToken } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { certificate, privateKey } from './certificate.js'
import { head } from './raw-socket.js'

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
