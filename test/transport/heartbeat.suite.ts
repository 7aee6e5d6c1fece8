import type { Test } from 'tap'
import { hmac } from '../helper/wire.js'
import { type TransportHarness, validate } from './harness.js'

/** A session over time: silence, fresh challenges, expiry (PROTOCOL §4.5, §6). */
export function heartbeatSuite(t: Test, harness: TransportHarness): void {
  const { start, endsWith, refusedUnsigned, pass } = harness

  t.test('ends a silent session; any verified frame keeps it alive', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient()
    const silent = await gateway.session(credential)
    const alive = await gateway.session(credential)
    await pass(gateway, 44_999)
    t.match(await alive.ask({ ...validate, key: 5 }), { code: 'INVALID_MESSAGE' })
    await pass(gateway, 1)
    await endsWith(t, silent, 'HEARTBEAT_LOST')
    await pass(gateway, 44_998)
    t.match(await alive.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
    const { body } = await gateway.admin('GET', '/sessions')
    t.equal(body.items.length, 1)
    t.equal(body.items[0].lastSeenAt <= new Date(gateway.clock.now()).toISOString(), true)
  })

  t.test('sends fresh challenges one at a time and accepts their answers', async t => {
    const gateway = await start(t, { config: { freshChallengeMs: 20_000 } })
    const credential = await gateway.createClient()
    const wire = await gateway.session(credential)
    await pass(gateway, 20_000)
    const { challengeToken, expiresIn } = await wire.next('challenge')
    t.equal(expiresIn, 60)
    await wire.ask({ type: 'heartbeat' })
    await pass(gateway, 40_000)
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'no second one while the first is open')
    const answer = (token: unknown) => ({
      type: 'challengeResponse',
      challengeToken: token,
      challengeSignature: hmac(credential.secret, String(token))
    })
    t.match(await wire.ask(answer(challengeToken)), { type: 'ack' })
    await pass(gateway, 20_000)
    const second = await wire.next('challenge')
    t.not(second['challengeToken'], challengeToken)
    wire.send(answer(challengeToken))
    await endsWith(t, wire, 'CHALLENGE_FAILED')
  })

  t.test('ends the session on a wrong or unsolicited challengeResponse', async t => {
    const gateway = await start(t, { config: { freshChallengeMs: 20_000 } })
    const credential = await gateway.createClient()
    const wrong = await gateway.session(credential)
    await pass(gateway, 20_000)
    const { challengeToken } = await wrong.next('challenge')
    wrong.send({
      type: 'challengeResponse',
      challengeToken,
      challengeSignature: hmac('another secret', String(challengeToken))
    })
    await endsWith(t, wrong, 'CHALLENGE_FAILED')
    const eager = await gateway.session(credential)
    eager.send({ type: 'challengeResponse', challengeToken, challengeSignature: hmac(credential.secret, 'x') })
    await endsWith(t, eager, 'CHALLENGE_FAILED')
  })

  t.test('ends a session that leaves a fresh challenge unanswered, heartbeats or not', async t => {
    const gateway = await start(t, { config: { freshChallengeMs: 20_000 } })
    const wire = await gateway.session(await gateway.createClient())
    await pass(gateway, 20_000)
    const { challengeToken } = await wire.next('challenge')
    await wire.ask({ type: 'heartbeat' })
    await pass(gateway, 40_000)
    await wire.ask({ type: 'heartbeat' })
    await pass(gateway, 20_000)
    await endsWith(t, wire, 'HEARTBEAT_LOST')
    const other = await gateway.wire()
    Object.assign(other, { challengeToken })
    other.authenticate(await gateway.createClient())
    await refusedUnsigned(t, other, 'AUTHENTICATION_FAILED')
  })

  t.test('ends a session with its key, and after 24 h', async t => {
    const gateway = await start(t, { config: { freshChallengeMs: 0 } })
    const { clientId, ...old } = await gateway.createClient()
    const wire = await gateway.session({ clientId, ...old })
    const { body: fresh } = await gateway.admin('POST', `/clients/${clientId}/keys`, { overlap: 30 })
    const late = await gateway.wire()
    late.authenticate({ clientId, ...old })
    t.equal((await late.next('welcome'))['expiresAt'], gateway.clock.now() + 30_000, 'no later than its key')
    await pass(gateway, 29_999)
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
    await pass(gateway, 1)
    await endsWith(t, wire, 'SESSION_EXPIRED')
    await endsWith(t, late, 'SESSION_EXPIRED')
    const day = await gateway.session({ clientId, keyId: fresh.keyId, secret: fresh.secret })
    for (let hours = 0; hours < 24; hours += 0.01) {
      gateway.clock.advance(0.01 * 60 * 60 * 1000)
      if (hours + 0.02 < 24) await day.ask({ type: 'heartbeat' })
    }
    await pass(gateway, 1000)
    await endsWith(t, day, 'SESSION_EXPIRED')
  })
}
