import type { Test } from 'tap'
import type { codes } from '../../src/protocol/codes.js'
import { hmac, type Message, signText, type Wire } from '../helper/wire.js'
import { nest, type TransportHarness, validate } from './harness.js'

/** Frames within a session (PROTOCOL §2 and §5). */
export function frameSuite(t: Test, harness: TransportHarness): void {
  const { onSocket, start, ended, endsWith } = harness

  onSocket('ends the session on a frame that does not verify or parse, each with its code', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient()
    const elsewhere = await gateway.session(credential)
    const attempts: [string, keyof typeof codes, (wire: Wire, received: string) => string][] = [
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
      ['a reflected frame', 'SIGNATURE_INVALID', (_w, received) => received],
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
      ['a type that is not a string', 'PROTOCOL_ERROR', w => w.sign({ type: ['heartbeat'], seq: 2 })],
      ['no seq', 'PROTOCOL_ERROR', w => w.sign({ type: 'heartbeat' })],
      ['a seq that is not a number', 'PROTOCOL_ERROR', w => w.sign({ type: 'heartbeat', seq: '2' })],
      ['half a seq', 'PROTOCOL_ERROR', w => w.sign({ type: 'heartbeat', seq: 2.5 })],
      ['a seq above 2^53-1', 'PROTOCOL_ERROR', w => w.sign({ type: 'heartbeat', seq: 2 ** 53 })],
      ['seq 1 again', 'SEQUENCE_INVALID', w => w.sign({ type: 'heartbeat', seq: 1 })],
      ['seq 3 too early', 'SEQUENCE_INVALID', w => w.sign({ type: 'heartbeat', seq: 3 })],
      ['a second authenticate', 'PROTOCOL_ERROR', w => w.sign({ type: 'authenticate', seq: 2 })],
      ['the authenticate repeated', 'SEQUENCE_INVALID', w => w.sign({ type: 'authenticate', seq: 1 })]
    ]
    for (const [name, code, frame] of attempts) {
      await t.test(name, async t => {
        const wire = await gateway.wire()
        wire.authenticate(credential)
        const received = await wire.nextText()
        wire.raw(frame(wire, received))
        const text = await wire.nextText()
        t.equal(text.slice(-66, -2), hmac(wire.keys.server, `${text.slice(0, -80)}}`), 'the error is signed')
        t.match(JSON.parse(text), { type: 'error', seq: 2, code })
        await ended(t, wire, code)
      })
    }
    t.match(await elsewhere.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'other sessions continue')
  })

  onSocket('rejects a frame that is replayed later as out of sequence', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient())
    const frame = wire.sign({ type: 'heartbeat', seq: wire.seq++ })
    wire.raw(frame)
    await wire.next('heartbeat')
    await wire.ask({ type: 'heartbeat' })
    wire.raw(frame)
    await endsWith(t, wire, 'SEQUENCE_INVALID')
  })

  t.test('answers an invalid message with an error and keeps the session', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient())
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
    t.match(await wire.ask({ type: 'heartbeat', x: nest(31) }), { type: 'heartbeat' }, 'accepts 32 levels')
    t.match(await wire.ask({ ...validate, ['__proto__']: { valid: true } }), { code: 'NOT_FOUND', valid: false })
    wire.raw(signText(wire.keys.client, `{ "type" : "heartbeat", "seq": ${wire.seq++}.0}`))
    t.match(await wire.next(), { type: 'heartbeat' }, 'white space, and numbers by value')
    const padding = 'x'.repeat(65_536 - wire.sign({ type: 'heartbeat', seq: wire.seq, x: '' }).length)
    t.match(await wire.ask({ type: 'heartbeat', x: padding }), { type: 'heartbeat' }, 'accepts 65536 bytes')
  })
}
