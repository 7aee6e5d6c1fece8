import t from 'tap'
import { createClient } from '../../src/client/node.js'
import { maxPendingRequests } from '../../src/client/requests.js'
import { startGateway } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { createClientOf, createManualClient, credential, license, nextEvent } from './clients.js'

/** The client with a real gateway. */

t.test('connects, sends requests, and closes', async t => {
  const gateway = await startGateway(t)
  await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
  const client = createClientOf(t, gateway, { credential: await gateway.createClient(), attributes: { app: 'test' } })
  const states: string[] = []
  client.on('state', state => states.push(state))
  t.equal(client.connect(), client)
  t.match(await client.validate(license), { valid: true, code: 'VALID', serviceId: 'svc', maxHwids: 1 })
  t.match(await client.validate({ ...license, hwid: 'x' }), { valid: false, code: 'HWID_MISMATCH' })
  t.equal(await client.heartbeat(), gateway.clock.now())
  await t.rejects(client.validate({ ...license, serviceId: 'no good' }), { code: 'INVALID_MESSAGE' })
  t.match((await gateway.admin('GET', '/sessions')).body.items, [{ attributes: { app: 'test' } }])
  client.close()
  t.same(states, ['connecting', 'connected', 'disconnected'])
  await t.rejects(client.validate(license), { code: 'CLOSED' })
  await until('the gateway has received bye', () => gateway.app.sessionCount() === 0)
})

t.test('gets a credential for each handshake, and retries if that fails', async t => {
  const gateway = await startGateway(t)
  const real = await gateway.createClient()
  let fetched = 0
  const client = createClientOf(t, gateway, {
    credential: async () => {
      if (++fetched === 1) throw new Error('backend unavailable')
      return real
    }
  })
  client.connect()
  t.match(await nextEvent(client, 'welcome'), { clientId: real.clientId })
  t.equal(fetched, 2)
})

t.test('repeats a request that a lost connection left unanswered', async t => {
  const gateway = await startGateway(t)
  await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
  const client = createClientOf(t, gateway, { credential: await gateway.createClient() })
  client.connect()
  await nextEvent(client, 'welcome')
  const lost = nextEvent(client, 'lost')
  const answer = client.validate(license)
  for (const socket of gateway.app.server.websocketServer.clients) socket.terminate()
  t.match(await lost, { reason: /closed with 1006/ })
  t.match(await answer, { code: 'VALID' })
})

t.test('stops after a signed SESSION_REVOKED', async t => {
  const gateway = await startGateway(t)
  const real = await gateway.createClient()
  const client = createClientOf(t, gateway, { credential: real })
  client.connect()
  await nextEvent(client, 'welcome')
  const stopped = nextEvent(client, 'stopped')
  await gateway.admin('DELETE', `/clients/${real.clientId}/keys/${real.keyId}`)
  t.match(await stopped, { code: 'SESSION_REVOKED' })
  t.equal(client.state, 'disconnected')
})

t.test('opens a new session after a change of permissions', async t => {
  const gateway = await startGateway(t)
  const real = await gateway.createClient()
  const client = createClientOf(t, gateway, { credential: real })
  client.connect()
  const first = await nextEvent(client, 'welcome')
  const second = nextEvent(client, 'welcome')
  await gateway.admin('PATCH', `/clients/${real.clientId}`, { services: ['x'] })
  t.not((await second).sessionId, first.sessionId)
})

t.test('answers fresh challenges', async t => {
  const gateway = await startGateway(t, { config: { freshChallengeMs: 1000 } })
  const client = createClientOf(t, gateway, { credential: await gateway.createClient() })
  client.connect()
  await nextEvent(client, 'welcome')
  const frames: string[] = []
  client.on('frame', ({ text }) => frames.push(JSON.parse(text).type))
  gateway.clock.advance(1000)
  await gateway.app.tick()
  while (!frames.includes('ack')) await nextEvent(client, 'frame')
  t.same(frames, ['challenge', 'challengeResponse', 'ack'])
})

t.test('bounds requests in number and time', async t => {
  const { client, timers } = createManualClient(t, 'ws://127.0.0.1:1')
  client.connect()
  const pending = Array.from({ length: maxPendingRequests }, () => client.validate(license, { timeoutMs: 5000 }))
  await t.rejects(client.validate(license), { code: 'TOO_MANY' })
  timers.advance(5000)
  for (const result of await Promise.allSettled(pending)) t.match(result, { reason: { code: 'TIMEOUT' } })
})

t.test('refuses urls other than ws:// and wss://', async t => {
  for (const url of ['http://127.0.0.1', 'x', '', 'javascript:alert(1)']) {
    t.throws(() => createClient({ url, credential }), TypeError)
  }
})
