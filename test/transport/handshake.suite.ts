import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import type { codes } from '../../src/protocol/codes.js'
import { testAdminToken } from '../helper/gateway.js'
import { signText, type Wire } from '../helper/wire.js'
import type { TransportHarness } from './harness.js'

/** Handshakes on any transport (PROTOCOL §4). */
export function handshakeSuite(t: Test, harness: TransportHarness): void {
  const { transport, onSocket, start, refusedUnsigned } = harness

  t.test('a handshake proves both sides to each other', async t => {
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

  t.test('finds the key of a handshake without keyId among the live ones', async t => {
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

  t.test('shows attributes to operators', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient()
    const wire = await gateway.wire()
    wire.raw(wire.authenticateFrame(credential, message => ({ ...message, attributes: { placeId: '42' } })))
    const { sessionId } = await wire.next('welcome')
    const { body } = await gateway.admin('GET', '/sessions')
    t.match(body.items, [{ sessionId, clientId: credential.clientId, attributes: { placeId: '42' } }])
    t.equal(body.items.length, 1)
  })

  t.test('bug: attributes of a handshake and its ticket together exceeded 16', async t => {
    const gateway = await start(t)
    const named = (name: string, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}${i}`, '']))
    const answer = await fetch(`${gateway.url}/v1/tickets`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${testAdminToken}` },
      body: JSON.stringify({ clientId: 'page', attributes: named('fixed', 10) })
    })
    const ticket = await answer.json()
    const opened = async (attributes: object, secret: string) => {
      const wire = await gateway.wire()
      wire.raw(wire.authenticateFrame({ ...ticket, secret }, message => ({ ...message, attributes })))
      return wire
    }
    await refusedUnsigned(t, await opened(named('own', 7), ticket.secret), 'PROTOCOL_ERROR')
    // The bound depends on the ticket, and only who holds it may learn anything of that.
    await refusedUnsigned(t, await opened(named('own', 7), 'cs_tk_wrong'), 'AUTHENTICATION_FAILED')
    const wire = await opened({ ...named('own', 6), fixed0: 'overridden' }, ticket.secret)
    const { sessionId } = await wire.next('welcome')
    const { body } = await gateway.admin('GET', '/sessions')
    const attributes = { ...named('own', 6), ...named('fixed', 10) }
    t.match(body.items, [{ sessionId, attributes }], 'those of the ticket win, and 16 are not too many')
  })

  t.test('answers every failed handshake alike, whatever the reason', async t => {
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
      // On the bridge a challenge belongs to no connection, so only a used one is foreign.
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
    t.match(await again.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'an honest handshake still succeeds')
  })

  t.test('refuses a first frame that is not a valid authenticate', async t => {
    const gateway = await start(t)
    const good = await gateway.createClient()
    const attempts: [string, keyof typeof codes, (wire: Wire) => string][] = [
      ['not JSON', 'PROTOCOL_ERROR', () => 'hello'],
      ['an empty text', 'PROTOCOL_ERROR', () => ''],
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
    t.match(await wire.next('welcome'), { re: 1 }, 'accepts 4096 bytes')
  })

  onSocket('closes a socket that does not authenticate within 10 s', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient()
    // The handshake timer of 10 s expires before the challenge's 60 s, which the store's suite covers.
    const wire = await gateway.wire()
    gateway.clock.advance(9999)
    await gateway.app.tick()
    const late = await gateway.wire()
    gateway.clock.advance(1)
    await gateway.app.tick()
    await refusedUnsigned(t, wire, 'PROTOCOL_ERROR')
    late.authenticate(credential)
    t.ok(await late.next('welcome'), 'each socket has its own 10 s')
  })
}
