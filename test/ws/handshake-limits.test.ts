import t from 'tap'
import { connectBridge } from '../helper/bridge-wire.js'
import { startGateway } from '../helper/gateway.js'
import { connectWire } from '../helper/wire.js'
import { upgrade } from './upgrade.js'

/** Limits on handshakes by address (PROTOCOL §4.4, §11). */

t.test('limits failed handshakes by address, not by client', async t => {
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
  const limited = await from('203.0.113.1')
  limited.authenticate({ ...credential, secret: 'wrong' })
  t.match(JSON.parse(await limited.nextText()), { type: 'error', code: 'RATE_LIMITED', signature: undefined })
  t.equal((await limited.closed()).code, 4529)
  const honest = await from('203.0.113.2')
  honest.authenticate(credential)
  t.ok(await honest.next('welcome'), 'the same client from another address')
  gateway.clock.advance(60_000)
  const later = await from('203.0.113.1')
  later.authenticate({ ...credential, secret: 'wrong' })
  t.equal((await later.closed()).code, 4401)
})

t.test('bug: failures of others locked out everybody behind one address', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true, failedHandshakesPerMinute: 3 } })
  const credential = await gateway.createClient()
  for (let i = 0; i < 5; i++) {
    const wire = await gateway.wire()
    wire.authenticate({ ...credential, secret: 'wrong' })
    t.equal((await wire.closed()).code, i < 3 ? 4401 : 4529)
  }
  t.ok(await gateway.session(credential), 'a handshake that proves itself')
  const bridge = await connectBridge(gateway.url)
  bridge.authenticate({ ...credential, secret: 'wrong' })
  t.match(JSON.parse(await bridge.nextText()), { code: 'RATE_LIMITED', retryAfterMs: 20_000 })
  t.match(await bridge.closed(), { code: 429 })
  const honest = await connectBridge(gateway.url)
  honest.authenticate(credential)
  t.ok(await honest.next('welcome'), 'also on the bridge')
})

t.test('serves a client while another address fails 1,000 handshakes in its name', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true, trustProxy: ['127.0.0.1'] } })
  const credential = await gateway.createClient()
  const attacker = { 'x-forwarded-for': '203.0.113.1' }
  const wanted = 1000
  const seen = { refused: 0, limited: 0 }
  async function attack(): Promise<void> {
    while (seen.refused + seen.limited < wanted) {
      if ((await upgrade(gateway, attacker)).status !== 101) {
        seen.limited++
        continue
      }
      const wire = await connectWire(t, gateway.wsUrl, { headers: attacker }).catch(() => undefined)
      if (wire === undefined) seen.limited++
      else {
        wire.authenticate({ ...credential, secret: 'wrong' })
        if ((await wire.closed()).code === 4529) seen.limited++
        else seen.refused++
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
  t.ok(await another.next('welcome'), `served, while ${seen.refused} were refused and ${seen.limited} limited`)
  t.ok(seen.refused < 60, 'the limiter refused the rest')
})

t.test('limits the handshakes of an address that succeed per minute', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true, handshakesPerMinute: 2 } })
  const credential = await gateway.createClient()
  const started = await gateway.wire()
  await gateway.session(credential)
  await gateway.session(credential)
  const refused = await upgrade(gateway)
  t.match(refused, {
    status: 429,
    body: { code: 'RATE_LIMITED', message: /limit is 2 \(COUNTERSIGN_HANDSHAKES_PER_MINUTE\)/ }
  })
  t.equal(refused.headers['retry-after'], '60')
  started.authenticate(credential)
  t.equal((await started.closed()).code, 4529, 'one that was started before')
  const bridge = await fetch(`${gateway.url}/v1/bridge/challenge`, { method: 'POST' })
  t.match([bridge.status, await bridge.json()], [429, { code: 'RATE_LIMITED', retryAfterMs: 60_000 }])
  gateway.clock.advance(60_000)
  t.ok(await gateway.session(credential))
})

t.test('bug: started handshakes of one address locked out everybody behind it', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true, handshakesPerMinute: 20 } })
  const credential = await gateway.createClient()
  const mute = await Promise.all(Array.from({ length: 30 }, () => gateway.wire()))
  const challenge = () => fetch(`${gateway.url}/v1/bridge/challenge`, { method: 'POST' })
  for (let i = 0; i < 60; i++) t.equal((await challenge()).status, 200)
  const garbage = () => fetch(`${gateway.url}/v1/bridge/sessions`, { method: 'POST', body: 'garbage' })
  for (let i = 0; i < 60; i++) t.ok((await garbage()).status < 500)
  t.ok(await gateway.session(credential), 'over a WebSocket')
  const bridge = await connectBridge(gateway.url)
  bridge.authenticate(credential)
  t.ok(await bridge.next('welcome'), 'over the bridge')
  for (const wire of mute) wire.socket.terminate()
})

t.test('bug: mute sockets took the places of sessions', async t => {
  const gateway = await startGateway(t, { config: { maxSessions: 2 } })
  const credential = await gateway.createClient()
  await Promise.all(Array.from({ length: 5 }, () => gateway.wire()))
  const started = await gateway.wire()
  t.ok(await gateway.session(credential))
  t.ok(await gateway.session(credential))
  started.authenticate(credential)
  t.equal((await started.closed()).code, 4513, 'the bound is on sessions')
  t.match(await upgrade(gateway), { status: 503, body: { code: 'UNAVAILABLE' } })
})
