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

t.test('serves a client while another address fails 10,000 handshakes in its name', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true, trustProxy: ['127.0.0.1'] } })
  const credential = await gateway.createClient()
  const attacker = { 'x-forwarded-for': '203.0.113.1' }
  const wanted = 10_000
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

t.test('limits the handshakes that an address begins per minute', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true, handshakesPerMinute: 2 } })
  t.equal((await upgrade(gateway)).status, 101)
  t.equal((await upgrade(gateway)).status, 101)
  t.match(await upgrade(gateway), { status: 429, body: { code: 'RATE_LIMITED' } })
})
