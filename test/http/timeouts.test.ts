import t from 'tap'
import { defaultTimeouts } from '../../src/http/node-server.js'
import { startGateway } from '../helper/gateway.js'
import { head, openSocket } from './raw-socket.js'

/** Time for requests to arrive. */

const timeouts = { headersMs: 200, bodyMs: 400, checkEveryMs: 50 }

t.test('gives headers 10 s and bodies 20 s by default', async t => {
  t.same(defaultTimeouts, { headersMs: 10_000, bodyMs: 20_000, checkEveryMs: 1000 })
  const { server } = (await startGateway(t)).app.server
  t.match(server, { headersTimeout: 10_000, requestTimeout: 20_000, keepAliveTimeout: 72_000, timeout: 0 })
})

t.test('bug: unfinished headers were kept for 60 s', async t => {
  const gateway = await startGateway(t, { timeouts })
  const silent = await openSocket(t, gateway)
  const unfinished = await openSocket(t, gateway)
  unfinished.send('GET /livez HTTP/1.1\r\nhost: a\r\n')
  t.match(await unfinished.closed(), /^HTTP\/1.1 408 Request Timeout[\s\S]*"code":"REQUEST_TIMEOUT"/)
  await silent.closed()
  t.pass('a socket that sends nothing is closed too')
})

t.test('bug: unfinished bodies were kept for 90 s', async t => {
  const gateway = await startGateway(t, { timeouts })
  for (const path of ['/v1/bridge/sessions', '/v1/bridge/challenge']) {
    const unfinished = await openSocket(t, gateway)
    unfinished.send(`${head(`POST ${path}`, { 'content-length': 100 })}x`)
    t.match(await unfinished.closed(), /^(HTTP\/1.1 408 Request Timeout|$)/, path)
  }
})

t.test('a held poll outlasts both', async t => {
  const gateway = await startGateway(t, { timeouts, transport: 'bridge' })
  const wire = await gateway.session(await gateway.createClient({ publish: ['*'], subscribe: ['*'] }))
  const { sessionId } = wire as unknown as { sessionId: string }
  const poll = `${wire.sign({ type: 'poll', poll: 1, ack: 1, wait: 1 })}`
  const socket = await openSocket(t, gateway)
  const startedAt = performance.now()
  socket.send(head(`POST /v1/bridge/sessions/${sessionId}/exchange`, { 'content-length': poll.length }) + poll)
  t.match(await socket.until(/polled/), /200 OK/)
  t.ok(performance.now() - startedAt > 2 * timeouts.bodyMs, 'it was held')
})
