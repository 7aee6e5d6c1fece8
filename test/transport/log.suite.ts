import type { Test } from 'tap'
import { type Store, StoreUnavailable } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import type { Gateway } from '../helper/gateway.js'
import { recordingLogger } from '../helper/log-lines.js'
import { until } from '../helper/until.js'
import { type TransportHarness, validate } from './harness.js'

type Credential = { readonly clientId: string; readonly keyId?: string; readonly secret: string }

async function fail(gateway: Gateway, credential: Credential): Promise<void> {
  const wire = await gateway.wire()
  wire.authenticate(credential)
  await wire.nextText()
}

/** Credentials that fail, each for its own reason, as an operator reads it. */
async function badCredentials(gateway: Gateway): Promise<readonly [reason: string, Credential][]> {
  const good = await gateway.createClient()
  const revoked = await gateway.createClient()
  await gateway.admin('DELETE', `/clients/${revoked.clientId}/keys/${revoked.keyId}`)
  const suspended = await gateway.createClient()
  await gateway.admin('PATCH', `/clients/${suspended.clientId}`, { status: 'suspended' })
  const expired = await gateway.createClient()
  await gateway.admin('POST', `/clients/${expired.clientId}/keys`, { overlap: 0 })
  return [
    ['wrong secret', { ...good, secret: 'cs_sk_wrong' }],
    ['unknown client', { ...good, clientId: 'nobody' }],
    ['unknown key', { ...good, keyId: 'key_nothing' }],
    ['unknown or expired ticket', { ...good, keyId: 'tkt_nothing' }],
    ['suspended', suspended],
    ['revoked', revoked],
    ['expired', expired]
  ]
}

/** Log lines about handshakes, floods and outages (docs/operating.md). */
export function logSuite(t: Test, harness: TransportHarness): void {
  const { onSocket, openStore, start, startGateway } = harness
  const failed = (line: { msg: string }) => line.msg === 'authentication failed'

  t.test('bug: every failed handshake was logged with the same reason', async t => {
    const { logger, lines } = recordingLogger()
    const gateway = await start(t, { logger })
    for (const [reason, credential] of await badCredentials(gateway)) {
      lines.length = 0
      await fail(gateway, credential)
      await until('the line is written', () => lines.some(failed))
      const { clientId, keyId } = credential
      t.match(lines.filter(failed), [{ reason, clientId, keyId, remoteAddress: '127.0.0.1' }])
      t.equal(lines.filter(failed).length, 1)
    }
    lines.length = 0
    const used = await gateway.wire()
    used.raw(used.authenticateFrame(await gateway.createClient(), m => ({ ...m, challengeToken: 'x'.repeat(43) })))
    await used.nextText()
    await until('the line is written', () => lines.some(failed))
    t.match(lines.filter(failed), [{ reason: 'unknown challenge' }])
  })

  t.test('logs the first 10 failed handshakes of a reason in a minute, then their number', async t => {
    const { logger, lines } = recordingLogger()
    const gateway = await start(t, { logger })
    const good = await gateway.createClient()
    for (let i = 0; i < 13; i++) await fail(gateway, { ...good, secret: 'cs_sk_wrong' })
    await fail(gateway, { ...good, clientId: 'nobody' })
    await until('the last line is written', () => lines.some(({ reason }) => reason === 'unknown client'))
    t.equal(lines.filter(line => failed(line) && line['reason'] === 'wrong secret').length, 10)
    gateway.clock.advance(60_000)
    await gateway.app.tick()
    const counts = lines.filter(({ msg }) => msg.startsWith('more handshakes failed'))
    t.match(counts, [{ reason: 'wrong secret', suppressed: 3 }])
  })

  t.test('logs malformed handshakes within the same bound', async t => {
    const { logger, lines } = recordingLogger()
    const gateway = await start(t, { logger })
    const malformed = () => lines.filter(({ msg }) => msg === 'a handshake was malformed')
    for (let i = 0; i < 12; i++) {
      const wire = await gateway.wire()
      wire.raw('x'.repeat(i + 1))
      await wire.nextText()
    }
    await until('the lines are written', () => malformed().length === 10)
    t.match(malformed()[0], { reason: /./, remoteAddress: '127.0.0.1' })
    gateway.clock.advance(60_000)
    await gateway.app.tick()
    t.match(
      lines.filter(({ msg }) => msg.startsWith('more handshakes failed')),
      [{ suppressed: 2 }]
    )
  })

  onSocket('bug: a session that floods was not in the log', async t => {
    const { logger, lines } = recordingLogger()
    const gateway = await start(t, { logger, config: { rateLimit: true, framesPerSecond: 1 } })
    const credential = await gateway.createClient()
    const wire = await gateway.session(credential)
    for (let i = 0; i < 40; i++) wire.send({ type: 'heartbeat' })
    await until('most are refused', async () => (await wire.next())['re'] === 41)
    const reports = () => lines.filter(({ msg }) => msg === 'a peer is above its rate: RATE_LIMITED')
    t.match(reports(), [{ clientId: credential.clientId, sessionId: /./, remoteAddress: '127.0.0.1', refused: 1 }])
    gateway.clock.advance(60_000)
    await gateway.app.tick()
    t.equal(reports().length, 2, 'one line a minute')
    t.ok(Number(reports()[1]?.['refused']) > 5, 'with the refusals since the last one')
  })

  t.test('shows the traffic of each session, and the busiest ones', async t => {
    const gateway = await start(t)
    const [quiet, busy] = [await gateway.createClient(), await gateway.createClient()]
    await gateway.session(quiet)
    const wire = await gateway.session(busy)
    for (let i = 0; i < 5; i++) await wire.ask({ type: 'heartbeat' })
    t.match(await wire.ask({ type: 'subscribe', channel: 'forbidden' }), { code: 'PERMISSION_DENIED' })
    await gateway.app.tick()
    const { body } = await gateway.admin('GET', `/sessions?clientId=${busy.clientId}`)
    const [{ counts, sessionId }] = body.items
    t.ok(counts.frames >= 6 && counts.bytes > 6 * 60, JSON.stringify(counts))
    t.equal(counts.refused, 1)
    const top = await gateway.admin('GET', '/top')
    t.same(top.body.items[0], { sessionId, clientId: busy.clientId, counts })
    t.equal((await gateway.admin('GET', '/top?limit=1')).body.items.length, 1)
    t.equal((await gateway.admin('GET', '/top?limit=0')).status, 400)
  })

  t.test('bug: an outage logged a stack for every refused frame', async t => {
    const { logger, lines, texts } = recordingLogger()
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const away = { now: false }
    const orFail = <T>(run: () => Promise<T>): Promise<T> =>
      away.now ? Promise.reject(new StoreUnavailable(new Error('no connection'))) : run()
    const unreliable: Store = {
      ...store,
      durable: { ...store.durable, get: key => orFail(() => store.durable.get(key)) },
      sessions: { ...store.sessions, touch: beats => orFail(() => store.sessions.touch(beats)) }
    }
    const gateway = await startGateway(t, { store: unreliable, clock, logger })
    const wire = await gateway.session(await gateway.createClient())
    lines.length = 0
    away.now = true
    for (let i = 0; i < 50; i++) t.match(await wire.ask(validate), { code: 'UNAVAILABLE' })
    for (let i = 0; i < 20; i++) await fail(gateway, { clientId: 'anyone', secret: 'cs_sk_x' })
    await gateway.app.tick()
    const outage = () => lines.filter(({ msg }) => /outage/.test(msg))
    t.match(outage(), [{ msg: /an outage begins/, reason: 'no connection' }])
    away.now = false
    clock.advance(5000)
    await gateway.app.tick()
    t.match(outage()[1], { msg: /the outage has ended/, refused: { frames: 50, handshakes: 20 } })
    t.equal(outage().length, 2)
    t.notMatch(texts(), /StoreUnavailable|at async/, 'no stacks')
    t.ok(lines.length < 15, `${lines.length} lines`)
  })
}
