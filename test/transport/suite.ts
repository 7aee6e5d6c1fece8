import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import type { codes } from '../../src/protocol/codes.js'
import type { Store } from '../../src/store/store.js'
import { createClock, type FakeClock } from '../helper/clock.js'
import { type Gateway, type GatewayOptions, startGateway as startGatewayOn } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { hmac, type Message, signText, type Wire } from '../helper/wire.js'

/**
 * What a session is, whatever carries it (PROTOCOL §2 to §7). Run on each transport and each store; `ended` tells how
 * the transport shows the end of a session.
 */
export interface TransportUnderTest {
  readonly transport: 'ws' | 'bridge'
  readonly openStore: (t: Test, now: () => number) => Promise<{ store: Store; another(): Promise<Store> }>
  /** The session is over with this code. */
  ended(t: Test, wire: Wire, code: keyof typeof codes | 'bye'): Promise<void>
}

const validate: Message = { type: 'validate', serviceId: 'svc', hwid: 'h', key: 'key' }

export function transportSuite(t: Test, { transport, openStore, ended }: TransportUnderTest): void {
  /** Tests of what only a connection has: its own time, its loss, a flood without answers. */
  const onSocket = transport === 'ws' ? t.test.bind(t) : () => {}

  function startGateway(t: Test, { config, ...options }: GatewayOptions = {}): Promise<Gateway> {
    return startGatewayOn(t, { ...options, transport, config: { bridgeTimeoutSeconds: 45, lingerMs: 0, ...config } })
  }

  async function start(t: Test, options: GatewayOptions = {}): Promise<Gateway> {
    const clock = options.clock ?? createClock()
    const { store } = await openStore(t, clock.now)
    return startGateway(t, { store, ...options, clock })
  }

  /** A signed error with this code, then the end. */
  async function endsWith(t: Test, wire: Wire, code: keyof typeof codes, re?: number): Promise<void> {
    const error = await wire.next('error')
    t.match(error, { code, ...(re === undefined ? {} : { re }) })
    await ended(t, wire, code)
  }

  async function refusedUnsigned(t: Test, wire: Wire, code: keyof typeof codes): Promise<string> {
    const text = await wire.nextText()
    t.match(JSON.parse(text), { type: 'error', code })
    t.notMatch(text, /signature/)
    await ended(t, wire, code)
    return text
  }

  // ── Handshake ──────────────────────────────────────────────────────────────────────────────────────────────────────

  t.test('a handshake proves both sides', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient()
    const wire = await gateway.wire()
    t.match(wire.challengeToken, /^[A-Za-z0-9_-]{43}$/)
    wire.authenticate(credential)
    const welcome = await wire.next('welcome')
    t.match(welcome, {
      ...{ seq: 1, re: 1, protocol: 'countersign.v1', clientId: credential.clientId, keyId: credential.keyId },
      ...{ heartbeatInterval: 15, heartbeatTimeout: 45, serverTime: gateway.clock.now() },
      expiresAt: gateway.clock.now() + 24 * 60 * 60 * 1000,
      limits: { frameBytes: 65536, dataBytes: 32768, depth: 32, batchFrames: 64, channels: 128, waitMax: 25 }
    })
    t.match(welcome['sessionId'], /^[A-Za-z0-9_-]{22,64}$/)
    const own = [`client:${credential.clientId}`, `session:${welcome['sessionId']}`]
    t.match(
      welcome['subscriptions'],
      own.map(channel => ({ channel, offset: 0, epoch: /./ }))
    )
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat', serverTime: gateway.clock.now() })
  })

  t.test('a handshake without keyId finds the key among the live ones', async t => {
    const gateway = await start(t)
    const { clientId, keyId, secret } = await gateway.createClient()
    const rotated = await gateway.admin('POST', `/clients/${clientId}/keys`, { overlap: 60 })
    for (const [known, id] of [
      [secret, keyId],
      [rotated.body.secret, rotated.body.keyId]
    ]) {
      const wire = await gateway.wire()
      wire.authenticate({ clientId, secret: known })
      t.equal((await wire.next('welcome'))['keyId'], id)
    }
  })

  t.test('attributes are shown to operators', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient()
    const wire = await gateway.wire()
    wire.raw(wire.authenticateFrame(credential, message => ({ ...message, attributes: { placeId: '42' } })))
    const { sessionId } = await wire.next('welcome')
    const { body } = await gateway.admin('GET', '/sessions')
    t.match(body.items, [{ sessionId, clientId: credential.clientId, attributes: { placeId: '42' } }])
    t.equal(body.items.length, 1)
  })

  t.test('before a session there is one answer for every reason', async t => {
    const gateway = await start(t)
    const good = await gateway.createClient()
    const { clientId } = good
    const revoked = await gateway.createClient()
    await gateway.admin('DELETE', `/clients/${revoked.clientId}/keys/${revoked.keyId}`)
    const suspended = await gateway.createClient()
    await gateway.admin('PATCH', `/clients/${suspended.clientId}`, { status: 'suspended' })
    const expired = await gateway.createClient()
    await gateway.admin('POST', `/clients/${expired.clientId}/keys`, { overlap: 0 })
    const other = await gateway.createClient()
    const used = await gateway.wire()
    used.authenticate(good)
    await used.next('welcome')
    const foreign = await gateway.wire()

    const attempts: Record<string, (wire: Wire) => string> = {
      'unknown client': wire => wire.authenticateFrame({ ...good, clientId: 'nobody' }),
      'unknown key': wire => wire.authenticateFrame({ ...good, keyId: 'nothing' }),
      "another client's key": wire => wire.authenticateFrame({ ...other, clientId }),
      'wrong secret': wire => wire.authenticateFrame({ ...good, secret: 'cs_sk_wrong' }),
      'wrong secret, no keyId': wire => wire.authenticateFrame({ clientId, secret: 'cs_sk_wrong' }),
      'an empty secret for nobody': wire => wire.authenticateFrame({ clientId: 'nobody', secret: '' }),
      'revoked key': wire => wire.authenticateFrame(revoked),
      'expired key': wire => wire.authenticateFrame(expired),
      'suspended client': wire => wire.authenticateFrame(suspended),
      'wrong challengeSignature': wire =>
        wire.authenticateFrame(good, message => ({ ...message, challengeSignature: '0'.repeat(64) })),
      'wrong signature': wire => `${wire.authenticateFrame(good).slice(0, -66)}${'0'.repeat(64)}"}`,
      'used challenge': wire => wire.authenticateFrame(good, m => ({ ...m, challengeToken: used.challengeToken })),
      // On the bridge any request may bring any of its challenges.
      'a challenge of another socket, with a proof of it': wire => {
        const elsewhere = transport === 'ws' ? foreign.challengeToken : used.challengeToken
        Object.assign(wire, { challengeToken: elsewhere })
        return wire.authenticateFrame(good)
      },
      'a challenge that never was': wire => {
        Object.assign(wire, { challengeToken: randomBytes(32).toString('base64url') })
        return wire.authenticateFrame(good)
      }
    }
    const answers = new Set<string>()
    for (const [reason, frame] of Object.entries(attempts)) {
      await t.test(reason, async t => {
        const wire = await gateway.wire()
        wire.raw(frame(wire))
        answers.add(await refusedUnsigned(t, wire, 'AUTHENTICATION_FAILED'))
      })
    }
    t.equal(answers.size, 1, 'the same bytes for all')
    if (transport === 'ws') {
      foreign.authenticate(good)
      await refusedUnsigned(t, foreign, 'AUTHENTICATION_FAILED')
    }
    const again = await gateway.session(good)
    t.match(await again.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'who is honest is not hindered')
  })

  t.test('a first frame that is none is refused', async t => {
    const gateway = await start(t)
    const good = await gateway.createClient()
    const attempts: [string, keyof typeof codes, (wire: Wire) => string][] = [
      ['no JSON', 'PROTOCOL_ERROR', () => 'hello'],
      ['nothing', 'PROTOCOL_ERROR', () => ''],
      ['unsigned', 'PROTOCOL_ERROR', () => '{"type":"authenticate","seq":1}'],
      ['another type', 'PROTOCOL_ERROR', wire => wire.sign({ type: 'heartbeat', seq: 1 })],
      ['seq 2', 'PROTOCOL_ERROR', wire => wire.authenticateFrame(good, message => ({ ...message, seq: 2 }))],
      [
        'another protocol',
        'UNSUPPORTED_PROTOCOL',
        wire => wire.authenticateFrame(good, message => ({ ...message, protocol: 'countersign.v2' }))
      ],
      [
        'a member too many times',
        'PROTOCOL_ERROR',
        () => signText('k', `${JSON.stringify({ type: 'authenticate', seq: 1 }).slice(0, -1)},"seq":1}`)
      ],
      [
        '4097 bytes',
        'FRAME_TOO_LARGE',
        wire => {
          const bare = wire.authenticateFrame(good, message => ({ ...message, padding: '' })).length
          return wire.authenticateFrame(good, message => ({ ...message, padding: 'x'.repeat(4097 - bare) }))
        }
      ]
    ]
    for (const [name, code, frame] of attempts) {
      await t.test(name, async t => {
        const wire = await gateway.wire()
        wire.raw(frame(wire))
        await refusedUnsigned(t, wire, code)
      })
    }
    const wire = await gateway.wire()
    const bare = wire.authenticateFrame(good, message => ({ ...message, padding: '' })).length
    wire.raw(wire.authenticateFrame(good, message => ({ ...message, padding: 'x'.repeat(4096 - bare) })))
    t.match(await wire.next('welcome'), { re: 1 }, '4096 bytes are taken')
  })

  onSocket('a challenge lives 60 s', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient()
    // On a socket the handshake's own timer of 10 s comes before it; the store's suite has the 60 s.
    const wire = await gateway.wire()
    gateway.clock.advance(9999)
    await gateway.app.tick()
    const late = await gateway.wire()
    gateway.clock.advance(1)
    await gateway.app.tick()
    await refusedUnsigned(t, wire, 'PROTOCOL_ERROR')
    late.authenticate(credential)
    t.ok(await late.next('welcome'), 'each has its own 10 s')
  })

  // ── Frames of a session ────────────────────────────────────────────────────────────────────────────────────────────

  onSocket('frames that end a session, each with its code', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient()
    const elsewhere = await gateway.session(credential)
    const nest = (levels: number): unknown => (levels === 0 ? 1 : [nest(levels - 1)])
    const attempts: [string, keyof typeof codes, (wire: Wire, heard: string) => string][] = [
      [
        'a changed signature',
        'SIGNATURE_INVALID',
        w => w.sign({ type: 'heartbeat', seq: 2 }).replace(/.{4}"}$/, 'ffff"}')
      ],
      [
        'a changed body',
        'SIGNATURE_INVALID',
        w => w.sign({ type: 'heartbeat', seq: 2, a: 1 }).replace('"a":1', '"a":2')
      ],
      ['a reflected frame', 'SIGNATURE_INVALID', (_w, heard) => heard],
      ['signed with the server key', 'SIGNATURE_INVALID', w => w.sign({ type: 'heartbeat', seq: 2 }, w.keys.server)],
      [
        'signed with the secret',
        'SIGNATURE_INVALID',
        () => signText(credential.secret, '{"type":"heartbeat","seq":2}')
      ],
      ['of another session', 'SIGNATURE_INVALID', () => elsewhere.sign({ type: 'heartbeat', seq: 2 })],
      ['no signature', 'PROTOCOL_ERROR', () => '{"type":"heartbeat","seq":2}'],
      [
        'a truncated signature',
        'PROTOCOL_ERROR',
        w =>
          `{"type":"heartbeat","seq":2,"signature":"${hmac(w.keys.client, '{"type":"heartbeat","seq":2}').slice(0, 32)}"}`
      ],
      [
        'an upper-case signature',
        'PROTOCOL_ERROR',
        w => w.sign({ type: 'heartbeat', seq: 2 }).replace(/[0-9a-f]{64}"}$/, tail => tail.toUpperCase())
      ],
      ['an empty text', 'PROTOCOL_ERROR', () => ''],
      ['an array', 'PROTOCOL_ERROR', w => signText(w.keys.client, '["heartbeat",2}')],
      ['not JSON', 'PROTOCOL_ERROR', w => signText(w.keys.client, '{type:"heartbeat"}')],
      ['a duplicate member', 'PROTOCOL_ERROR', w => signText(w.keys.client, '{"type":"heartbeat","seq":2,"seq":2}')],
      [
        'a lone surrogate',
        'PROTOCOL_ERROR',
        w => signText(w.keys.client, '{"type":"heartbeat","seq":2,"x":"\\ud800"}')
      ],
      ['an infinite number', 'PROTOCOL_ERROR', w => signText(w.keys.client, '{"type":"heartbeat","seq":2,"x":1e400}')],
      ['33 levels', 'PROTOCOL_ERROR', w => w.sign({ type: 'heartbeat', seq: 2, x: nest(32) })],
      ['no type', 'PROTOCOL_ERROR', w => w.sign({ seq: 2 })],
      ['a type that is no text', 'PROTOCOL_ERROR', w => w.sign({ type: ['heartbeat'], seq: 2 })],
      ['no seq', 'PROTOCOL_ERROR', w => w.sign({ type: 'heartbeat' })],
      ['a seq that is no number', 'PROTOCOL_ERROR', w => w.sign({ type: 'heartbeat', seq: '2' })],
      ['half a seq', 'PROTOCOL_ERROR', w => w.sign({ type: 'heartbeat', seq: 2.5 })],
      ['a seq beyond 2^53-1', 'PROTOCOL_ERROR', w => w.sign({ type: 'heartbeat', seq: 2 ** 53 })],
      ['seq 1 again', 'SEQUENCE_INVALID', w => w.sign({ type: 'heartbeat', seq: 1 })],
      ['seq 3 too early', 'SEQUENCE_INVALID', w => w.sign({ type: 'heartbeat', seq: 3 })],
      ['a second authenticate', 'PROTOCOL_ERROR', w => w.sign({ type: 'authenticate', seq: 2 })],
      ['the authenticate repeated', 'SEQUENCE_INVALID', w => w.sign({ type: 'authenticate', seq: 1 })]
    ]
    for (const [name, code, frame] of attempts) {
      await t.test(name, async t => {
        const wire = await gateway.wire()
        wire.authenticate(credential)
        const heard = await wire.nextText()
        wire.raw(frame(wire, heard))
        const text = await wire.nextText()
        t.equal(text.slice(-66, -2), hmac(wire.keys.server, `${text.slice(0, -80)}}`), 'told by a signed frame')
        t.match(JSON.parse(text), { type: 'error', seq: 2, code })
        await ended(t, wire, code)
      })
    }
    t.match(await elsewhere.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'other sessions go on')
  })

  onSocket('a frame that is replayed later is out of sequence', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient())
    const frame = wire.sign({ type: 'heartbeat', seq: wire.seq++ })
    wire.raw(frame)
    await wire.next('heartbeat')
    await wire.ask({ type: 'heartbeat' })
    wire.raw(frame)
    await endsWith(t, wire, 'SEQUENCE_INVALID')
  })

  t.test('frames that do not end a session', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient())
    const nest = (levels: number): unknown => (levels === 0 ? 1 : [nest(levels - 1)])
    const refused = async (message: Message, code: string) =>
      t.match(await wire.ask(message), { type: 'error', code }, JSON.stringify(message).slice(0, 70))
    await refused({ type: 'dance' }, 'UNKNOWN_TYPE')
    await refused({ type: 'constructor' }, 'UNKNOWN_TYPE')
    await refused({ type: '__proto__' }, 'UNKNOWN_TYPE')
    await refused({ ...validate, hwid: 5 }, 'INVALID_MESSAGE')
    await refused({ ...validate, hwid: '' }, 'INVALID_MESSAGE')
    await refused({ ...validate, hwid: 'x'.repeat(257) }, 'INVALID_MESSAGE')
    await refused({ ...validate, hwid: 'ä'.repeat(129) }, 'INVALID_MESSAGE')
    await refused({ ...validate, key: null }, 'INVALID_MESSAGE')
    await refused({ ...validate, serviceId: '../etc' }, 'INVALID_MESSAGE')
    await refused({ type: 'validate' }, 'INVALID_MESSAGE')
    t.match(await wire.ask({ type: 'heartbeat', mood: 'fine' }), { type: 'heartbeat' }, 'unknown members are ignored')
    t.match(await wire.ask({ type: 'heartbeat', x: nest(31) }), { type: 'heartbeat' }, '32 levels are taken')
    t.match(await wire.ask({ ...validate, ['__proto__']: { valid: true } }), { code: 'NOT_FOUND', valid: false })
    wire.raw(signText(wire.keys.client, `{ "type" : "heartbeat", "seq": ${wire.seq++}.0}`))
    t.match(await wire.next(), { type: 'heartbeat' }, 'white space, and numbers by value')
    const padding = 'x'.repeat(65_536 - wire.sign({ type: 'heartbeat', seq: wire.seq, x: '' }).length)
    t.match(await wire.ask({ type: 'heartbeat', x: padding }), { type: 'heartbeat' }, '65536 bytes are taken')
  })

  t.test('frames that come at once are answered in their order', async t => {
    const gateway = await start(t)
    await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
    const wire = await gateway.session(await gateway.createClient())
    const sent = Array.from({ length: 300 }, (_, i) => wire.send(i % 3 === 0 ? { type: 'heartbeat' } : validate))
    const answered: unknown[] = []
    for (const _ of sent) answered.push((await wire.next())['re'])
    t.same(answered, sent)
  })

  t.test('bye is answered, then the session is over', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient())
    t.match(await wire.ask({ type: 'bye' }), { type: 'ack' })
    await ended(t, wire, 'bye')
    t.equal(gateway.app.sessionCount(), 0)
    t.equal(await gateway.store.sessions.count(), 0)
  })

  // ── Time ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  async function pass(gateway: { clock: FakeClock; app: Gateway['app'] }, ms: number): Promise<void> {
    gateway.clock.advance(ms)
    await gateway.app.tick()
  }

  t.test('silence ends a session, any verified frame keeps it', async t => {
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

  t.test('fresh challenges: answered, one at a time', async t => {
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

  t.test('fresh challenges: a wrong answer, and one that nobody asked for', async t => {
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

  t.test('fresh challenges: silence, though heartbeats come', async t => {
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

  t.test('a session ends with its key, and after 24 h', async t => {
    const gateway = await start(t, { config: { freshChallengeMs: 0 } })
    const { clientId, ...old } = await gateway.createClient()
    const wire = await gateway.session({ clientId, ...old })
    const { body: fresh } = await gateway.admin('POST', `/clients/${clientId}/keys`, { overlap: 30 })
    const late = await gateway.wire()
    late.authenticate({ clientId, ...old })
    t.equal((await late.next('welcome'))['expiresAt'], gateway.clock.now() + 30_000, 'never beyond its key')
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

  // ── Rights ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  t.test('what is taken away ends live sessions at once, on every instance', async t => {
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    const gateway = await startGateway(t, { store, clock })
    const second = await another()
    const other = second === store ? gateway : await startGateway(t, { store: second, clock })
    const cases: [string, keyof typeof codes, (c: { clientId: string; keyId: string }) => Promise<unknown>][] = [
      ['key', 'SESSION_REVOKED', c => gateway.admin('DELETE', `/clients/${c.clientId}/keys/${c.keyId}`)],
      ['client', 'SESSION_REVOKED', c => gateway.admin('DELETE', `/clients/${c.clientId}`)],
      ['suspended', 'SESSION_REVOKED', c => gateway.admin('PATCH', `/clients/${c.clientId}`, { status: 'suspended' })],
      ['rights', 'SESSION_EXPIRED', c => gateway.admin('PATCH', `/clients/${c.clientId}`, { services: ['x'] })],
      ['overlap 0', 'SESSION_EXPIRED', c => gateway.admin('POST', `/clients/${c.clientId}/keys`, { overlap: 0 })]
    ]
    for (const [name, code, act] of cases) {
      await t.test(name, async t => {
        const credential = await gateway.createClient()
        const bystander = await other.session(await gateway.createClient())
        const here = await gateway.session(credential)
        const there = await other.session(credential)
        await act(credential)
        await endsWith(t, here, code)
        await endsWith(t, there, code)
        t.match(await bystander.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
      })
    }
    await t.test('one session, by an operator', async t => {
      const credential = await gateway.createClient()
      const wire = await other.session(credential)
      const spared = await other.session(credential)
      const { body } = await gateway.admin('GET', `/sessions?clientId=${credential.clientId}`)
      t.equal(body.items.length, 2)
      // The list is in the order of ids, which are random: end the one that `wire` has by trying both.
      for (const { sessionId } of body.items) {
        t.equal((await gateway.admin('DELETE', `/sessions/${sessionId}`)).status, 204)
      }
      await endsWith(t, wire, 'SESSION_REVOKED')
      await endsWith(t, spared, 'SESSION_REVOKED')
      t.equal((await gateway.admin('DELETE', `/sessions/${'x'.repeat(32)}`)).status, 404)
    })
    await t.test('rights that did not change end nothing', async t => {
      const credential = await gateway.createClient()
      const wire = await gateway.session(credential)
      await gateway.admin('PATCH', `/clients/${credential.clientId}`, { attributes: { a: 'b' } })
      await gateway.app.tick()
      t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
    })
  })

  t.test('a revocation whose signal was lost still ends the session, with the next tick', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const deaf: Store = { ...store, durable: { ...store.durable, onChange: () => () => {} } }
    const gateway = await startGateway(t, { store: deaf, clock })
    const credential = await gateway.createClient()
    const wire = await gateway.session(credential)
    await gateway.admin('DELETE', `/clients/${credential.clientId}/keys/${credential.keyId}`)
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'it has not heard')
    await gateway.app.tick()
    await endsWith(t, wire, 'SESSION_REVOKED')
  })

  // ── validate ───────────────────────────────────────────────────────────────────────────────────────────────────────

  t.test('validate binds, and says what it found', async t => {
    const gateway = await start(t)
    const expiresAt = '2027-01-01T00:00:00.000Z'
    const made = await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key', expiresAt })
    const wire = await gateway.session(await gateway.createClient())
    const { licenseId } = made.body
    t.match(await wire.ask(validate), {
      ...{ type: 'validation', valid: true, code: 'VALID', serviceId: 'svc', licenseId },
      ...{ expiresAt: Date.parse(expiresAt), maxHwids: 1, boundHwids: 1 }
    })
    const mismatch = await wire.ask({ ...validate, hwid: 'other' })
    t.match(mismatch, { valid: false, code: 'HWID_MISMATCH', boundHwids: 1 })
    t.match(await wire.ask({ ...validate, hwid: undefined }), { valid: false, code: 'HWID_REQUIRED' })
    const unknown = await wire.ask({ ...validate, key: 'other' })
    t.match(unknown, { valid: false, code: 'NOT_FOUND', serviceId: 'svc' })
    t.notOk('licenseId' in unknown)
    await gateway.admin('PATCH', `/licenses/${licenseId}`, { status: 'suspended' })
    t.match(await wire.ask(validate), { valid: false, code: 'SUSPENDED' })
    await gateway.admin('PATCH', `/licenses/${licenseId}`, { status: 'active' })
    await gateway.admin('PUT', `/licenses/${licenseId}/hwids/h`, { banned: true })
    t.match(await wire.ask(validate), { valid: false, code: 'HWID_BANNED' })
  })

  t.test('a service beyond the capability has no such key', async t => {
    const gateway = await start(t)
    await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
    const ask = async (services: string[]) => {
      const wire = await gateway.session(await gateway.createClient({ services }))
      return (await wire.ask(validate))['code']
    }
    t.equal(await ask(['other', 'sv']), 'NOT_FOUND')
    t.equal(await ask([]), 'NOT_FOUND')
    t.equal(await ask(['sv*']), 'VALID')
    t.equal(await ask(['svc']), 'VALID')
    t.equal(await ask(['*']), 'VALID')
  })

  t.test('maxSessions counts live sessions whose last validate was VALID', async t => {
    const gateway = await start(t)
    const made = await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key', maxHwids: 9 })
    const credential = await gateway.createClient()
    const first = await gateway.session(credential)
    t.match(await first.ask(validate), { code: 'VALID' })
    await gateway.admin('PATCH', `/licenses/${made.body.licenseId}`, { maxSessions: 1 })
    const second = await gateway.session(credential)
    t.match(await second.ask({ ...validate, hwid: 'new' }), { code: 'TOO_MANY_SESSIONS', boundHwids: 1 })
    t.match(await first.ask(validate), { code: 'VALID' }, 'who sits may stay')
    t.match(await first.ask({ ...validate, hwid: undefined }), { code: 'HWID_REQUIRED' })
    t.match(await second.ask(validate), { code: 'VALID' }, 'the seat is free: its last validate was not VALID')
    t.match(await first.ask(validate), { code: 'TOO_MANY_SESSIONS' })
    await second.ask({ type: 'bye' })
    await second.closed()
    t.match(await first.ask(validate), { code: 'VALID' }, 'the seat ended with its session')
    await pass(gateway, 45_000)
    await endsWith(t, first, 'HEARTBEAT_LOST')
    const third = await gateway.session(credential)
    t.match(await third.ask(validate), { code: 'VALID' }, 'silence frees it as well')
  })

  t.test('eight hwids race for one seat from eight sessions: exactly one wins', async t => {
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    const gateway = await startGateway(t, { store, clock })
    const second = await another()
    const other = second === store ? gateway : await startGateway(t, { store: second, clock })
    await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
    const credential = await gateway.createClient()
    const wires = await Promise.all(
      Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? gateway : other).session(credential))
    )
    const answers = await Promise.all(wires.map((wire, i) => wire.ask({ ...validate, hwid: `hwid-${i}` })))
    t.same(answers.map(({ code }) => code).sort(), [...Array(7).fill('HWID_MISMATCH'), 'VALID'])
  })

  // ── Bounds ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  onSocket('too many frames are refused, signed, with the time to wait, and the session goes on', async t => {
    const gateway = await start(t, { config: { rateLimit: true, framesPerSecond: 5 } })
    const wire = await gateway.session(await gateway.createClient())
    for (let i = 0; i < 10; i++) t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'error', code: 'RATE_LIMITED', retryAfterMs: 200 })
    gateway.clock.advance(200)
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
  })

  t.test('a client has only so many sessions', async t => {
    const gateway = await start(t, { config: { rateLimit: true, maxSessionsPerClient: 2 } })
    const credential = await gateway.createClient()
    const first = await gateway.session(credential)
    await gateway.session(credential)
    const third = await gateway.wire()
    third.authenticate(credential)
    await refusedUnsigned(t, third, 'RATE_LIMITED')
    await first.ask({ type: 'bye' })
    await first.closed()
    t.ok(await gateway.session(credential))
  })

  onSocket('a store that does not answer: told so, signed, and the session lives', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const { StoreUnavailable } = await import('../../src/store/store.js')
    const away = { now: false }
    const orFail = <T>(run: () => Promise<T>): Promise<T> => (away.now ? Promise.reject(new StoreUnavailable()) : run())
    const shaky: Store = {
      ...store,
      durable: { ...store.durable, get: key => orFail(() => store.durable.get(key)) },
      sessions: { ...store.sessions, touch: beats => orFail(() => store.sessions.touch(beats)) },
      challenges: { ...store.challenges, put: (...all) => orFail(() => store.challenges.put(...all)) }
    }
    const gateway = await startGateway(t, { store: shaky, clock })
    await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
    const wire = await gateway.session(await gateway.createClient())
    away.now = true
    t.match(await wire.ask(validate), { type: 'error', code: 'UNAVAILABLE', retryAfterMs: 1000 })
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'heartbeats need no store')
    await pass(gateway, 1000)
    await store.sessions.end(String((await store.sessions.list('', 1))[0]?.sessionId))
    away.now = false
    await pass(gateway, 1000)
    t.match(await wire.ask(validate), { code: 'VALID' })
    t.equal((await store.sessions.list('', 9)).length, 1, 'what the store lost meanwhile it is told anew')
  })

  /** A store of which some calls wait until they are let go, or fail. */
  async function slowStore(t: Test, clock: FakeClock) {
    const { store, another } = await openStore(t, clock.now)
    const gate = { closed: false, open: () => {}, failing: false }
    const pass = async () => {
      const { StoreUnavailable } = await import('../../src/store/store.js')
      if (gate.failing) throw new StoreUnavailable()
      if (gate.closed) await new Promise<void>(resolve => Object.assign(gate, { open: resolve }))
    }
    const slow: Store = {
      ...store,
      sessions: { ...store.sessions, open: (...all) => pass().then(() => store.sessions.open(...all)) },
      licenseSlots: {
        ...store.licenseSlots,
        acquire: (...all) => pass().then(() => store.licenseSlots.acquire(...all))
      }
    }
    return { slow, store, another, gate }
  }

  onSocket('bug: a session that drops during its validate leaves no seat behind', async t => {
    const clock = createClock()
    const { slow, store, gate } = await slowStore(t, clock)
    const gateway = await startGateway(t, { store: slow, clock })
    const made = await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key', maxSessions: 1 })
    const credential = await gateway.createClient()
    const wire = await gateway.session(credential)
    gate.closed = true
    wire.send(validate)
    await until('the seat is being taken', () => gate.open.name !== 'open')
    wire.socket.terminate()
    await until('the session is gone', () => gateway.app.sessionCount() === 0)
    gate.closed = false
    gate.open()
    await until('its seat is free', () => {
      const { licenseId } = made.body
      return store.licenseSlots.acquire(licenseId, 'probe', 1, clock.now() + 1000, clock.now())
    })
  })

  onSocket('bug: who authenticated in time is not told PROTOCOL_ERROR because the store is slow', async t => {
    const clock = createClock()
    const { slow, gate } = await slowStore(t, clock)
    const gateway = await startGateway(t, { store: slow, clock })
    const credential = await gateway.createClient()
    const wire = await gateway.wire()
    gate.closed = true
    wire.authenticate(credential)
    await until('the session is being opened', () => gate.open.name !== 'open')
    await pass(gateway, 11_000)
    gate.closed = false
    gate.open()
    t.match(await wire.next('welcome'), { re: 1 })
  })

  t.test('bug: a store that fails while a session is opened is told unsigned, and counted as such', async t => {
    const clock = createClock()
    const { slow, gate } = await slowStore(t, clock)
    const gateway = await startGateway(t, { store: slow, clock })
    const credential = await gateway.createClient()
    const wire = await gateway.wire()
    gate.failing = true
    wire.authenticate(credential)
    await refusedUnsigned(t, wire, 'UNAVAILABLE')
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
    t.match(metrics, /handshakes_total\{result="UNAVAILABLE"\} 1/)
    t.notMatch(metrics, /sessions_ended_total\{/)
  })

  onSocket('bug: a store that fails between opening and welcoming leaves no session behind', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const { StoreUnavailable } = await import('../../src/store/store.js')
    const opened = { yet: false }
    const gateway = await startGateway(t, {
      clock,
      store: {
        ...store,
        durable: {
          ...store.durable,
          get: key => (opened.yet ? Promise.reject(new StoreUnavailable()) : store.durable.get(key))
        },
        sessions: {
          ...store.sessions,
          async open(...all) {
            const kept = await store.sessions.open(...all)
            opened.yet = true
            return kept
          }
        }
      }
    })
    const credential = await gateway.createClient()
    const wire = await gateway.wire()
    wire.authenticate(credential)
    await refusedUnsigned(t, wire, 'UNAVAILABLE')
    t.equal(gateway.app.sessionCount(), 0)
    await until('the store has forgotten it', async () => (await store.sessions.count()) === 0)
  })

  t.test('bug: a revocation that a rewound store hides is found all the same', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const rewound = { now: false }
    const records: Store['durable'] = {
      ...store.durable,
      onChange: () => () => {},
      // After the rewind the log has another past, and the change has a number that was seen before.
      auditAfter: (...all) => (rewound.now ? Promise.resolve([]) : store.durable.auditAfter(...all)),
      changesAfter: (...all) => (rewound.now ? Promise.resolve([]) : store.durable.changesAfter(...all))
    }
    const gateway = await startGateway(t, { store: { ...store, durable: records }, clock })
    const credential = await gateway.createClient()
    const wire = await gateway.session(credential)
    const bystander = await gateway.session(await gateway.createClient())
    await gateway.app.tick()
    rewound.now = true
    await gateway.admin('DELETE', `/clients/${credential.clientId}/keys/${credential.keyId}`)
    await gateway.app.tick()
    await endsWith(t, wire, 'SESSION_REVOKED')
    t.match(await bystander.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
  })

  onSocket('bug: a session that a rewound store had forgotten was on no list until its end', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const rewound = { now: false }
    const records: Store['durable'] = {
      ...store.durable,
      auditAfter: (...all) => (rewound.now ? Promise.resolve([]) : store.durable.auditAfter(...all))
    }
    const gateway = await startGateway(t, { store: { ...store, durable: records }, clock })
    const wire = await gateway.session(await gateway.createClient())
    await gateway.app.tick()
    const [entry] = await store.sessions.list('', 1)
    await store.sessions.end(String(entry?.sessionId))
    rewound.now = true
    await gateway.app.tick()
    await gateway.app.tick()
    t.match(await store.sessions.list('', 9), [{ sessionId: entry?.sessionId }])
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
  })

  onSocket('bug: a challenge whose socket has closed does not stay in the store', async t => {
    const gateway = await start(t)
    const wire = await gateway.wire()
    const { challengeToken } = wire
    wire.socket.terminate()
    await until('it is taken back', async () => {
      const other = await gateway.wire()
      other.socket.terminate()
      return (await gateway.store.challenges.consume(challengeToken)) === undefined
    })
  })

  t.test('what a dead instance left behind is ended by another', async t => {
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    const gateway = await startGateway(t, { store, clock })
    await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key', maxSessions: 1, maxHwids: 2 })
    const ghost = {
      ...{ sessionId: 'g'.repeat(32), clientId: 'c', keyId: 'k', instanceId: 'gone', transport: 'ws' as const },
      ...{ openedAt: clock.now(), expiresAt: clock.now() + 1e9, deadline: clock.now() + 55_000 },
      ...{ remoteAddress: '127.0.0.1', attributes: {} }
    }
    const elsewhere = await another()
    const { body } = await gateway.admin('GET', '/licenses')
    await elsewhere.sessions.open(ghost, 9)
    await elsewhere.licenseSlots.acquire(body.items[0].licenseId, ghost.sessionId, 1, ghost.expiresAt, clock.now())
    const wire = await gateway.session(await gateway.createClient())
    t.match(await wire.ask(validate), { code: 'TOO_MANY_SESSIONS' })
    await pass(gateway, 40_000)
    await wire.ask({ type: 'heartbeat' })
    await pass(gateway, 15_000)
    t.equal(await elsewhere.sessions.get(ghost.sessionId), undefined)
    t.match(await wire.ask(validate), { code: 'VALID' }, 'its seat is free')
  })
}
