import type { Test } from 'tap'
import { connectBridge } from '../helper/bridge-wire.js'
import type { OpenStoreForTest } from '../helper/stores.js'
import { hmac, signText } from '../helper/wire.js'
import { frame, open, permissions, startTwo } from './harness.js'

/** The form of a request (PROTOCOL §9.3, §9.4 a). */
export function bodySuite(t: Test, openStore: OpenStoreForTest): void {
  t.test('(a) refuses an invalid body, signed and bound to its poll, and runs no message of it', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    const beat = (seq = wire.seq) => wire.sign({ type: 'heartbeat', seq })
    const poll = (number = wire.poll++) => wire.sign({ type: 'poll', poll: number, ack: wire.ack, wait: 0 })
    const big = (bytes: number) => {
      const bare = wire.sign({ type: 'heartbeat', seq: wire.seq, x: '' }).length
      return wire.sign({ type: 'heartbeat', seq: wire.seq, x: 'x'.repeat(bytes - bare) })
    }
    const next = wire.seq
    const many = (count: number) => Array.from({ length: count }, (_, i) => beat(next + i))
    const cases: [string, number, string, boolean, () => string][] = [
      ['no body', 400, 'PROTOCOL_ERROR', false, () => ''],
      ['no poll', 400, 'PROTOCOL_ERROR', false, () => beat()],
      ['a poll that is not last', 400, 'PROTOCOL_ERROR', false, () => [poll(), beat()].join('\n')],
      ['two polls', 400, 'PROTOCOL_ERROR', true, () => [poll(), poll()].join('\n')],
      ['a blank line', 400, 'PROTOCOL_ERROR', true, () => [beat(), '', poll()].join('\n')],
      ['two line feeds at the end', 400, 'PROTOCOL_ERROR', false, () => `${poll()}\n\n`],
      ['CR LF', 400, 'PROTOCOL_ERROR', true, () => `${beat()}\r\n${poll()}`],
      ['seqs with a hole', 400, 'PROTOCOL_ERROR', true, () => [beat(next), beat(next + 2), poll()].join('\n')],
      ['one seq twice', 400, 'PROTOCOL_ERROR', true, () => [beat(next), beat(next), poll()].join('\n')],
      [
        'a bye that is not last',
        ...([400, 'PROTOCOL_ERROR', true] as const),
        () => [wire.sign({ type: 'bye', seq: next }), beat(next + 1), poll()].join('\n')
      ],
      [
        'an authenticate',
        400,
        'PROTOCOL_ERROR',
        true,
        () => [wire.sign({ type: 'authenticate', seq: next }), poll()].join('\n')
      ],
      [
        'a poll without ack',
        400,
        'PROTOCOL_ERROR',
        true,
        () => wire.sign({ type: 'poll', poll: wire.poll++, wait: 0 })
      ],
      [
        'a negative wait',
        400,
        'PROTOCOL_ERROR',
        true,
        () => wire.sign({ type: 'poll', poll: wire.poll++, ack: 1, wait: -1 })
      ],
      ['an unsigned line', 400, 'PROTOCOL_ERROR', true, () => ['{"type":"heartbeat","seq":2}', poll()].join('\n')],
      [
        'a line signed by another',
        401,
        'SIGNATURE_INVALID',
        true,
        () => [signText('k', `{"type":"heartbeat","seq":${next}}`), poll()].join('\n')
      ],
      [
        'a poll signed by another',
        401,
        'SIGNATURE_INVALID',
        false,
        () => signText('k', '{"type":"poll","poll":9,"ack":1,"wait":0}')
      ],
      ['65 messages', 413, 'FRAME_TOO_LARGE', true, () => [...many(65), poll()].join('\n')],
      ['65537 bytes in a line', 413, 'FRAME_TOO_LARGE', true, () => [big(65_537), poll()].join('\n')],
      ['more than 262144 bytes', 413, 'FRAME_TOO_LARGE', true, () => [...Array(4).fill(big(65_536)), poll()].join('\n')]
    ]
    for (const [name, status, code, isBound, body] of cases) {
      await t.test(name, async t => {
        const text = body()
        const answer = await wire.post(text)
        t.equal(answer.status, status)
        t.match(answer.frames, [{ type: 'error', code }])
        const line = answer.text.trimEnd()
        t.equal(line.slice(-66, -2), hmac(wire.keys.server, `${line.slice(0, -80)}}`), 'signed')
        t.equal('poll' in (answer.frames[0] ?? {}), isBound, 'bound if the poll verified')
        t.notOk('seq' in (answer.frames[0] ?? {}), 'outside the sequence')
      })
    }
    t.match(await wire.exchange(many(64)), { status: 200 }, 'accepts 64 messages, from the same seq on')
  })

  t.test('(a) answers an invalid message with an error, and the rest of the exchange', async t => {
    const wire = await open(await startTwo(t, openStore))
    const lines = [{ type: 'dance' }, { type: 'heartbeat' }, { type: 'publish', channel: 'no channel', data: 1 }]
    const { frames } = await wire.exchange(lines.map(line => frame(wire, line)))
    t.match(frames, [
      { type: 'error', re: 2, code: 'UNKNOWN_TYPE' },
      { type: 'heartbeat', re: 3 },
      { type: 'error', re: 4, code: 'INVALID_CHANNEL' },
      { type: 'polled', re: 1, more: false, superseded: false }
    ])
  })

  t.test('reads the body whatever its content type, and refuses an encoded one', async t => {
    const wire = await open(await startTwo(t, openStore))
    for (const type of ['application/json', 'text/plain', 'application/x-ndjson; charset=utf-8', 'x/y', '']) {
      const headers: Record<string, string> = type === '' ? {} : { 'content-type': type }
      const { status, headers: got } = await wire.exchange([], { headers })
      t.equal(status, 200, type)
      t.equal(got.get('cache-control'), 'no-store')
    }
    const encoded = await wire.post('x', { headers: { 'content-encoding': 'gzip' } })
    t.equal(encoded.status, 415)
  })

  t.test('refuses with the body of §4.4 before it reads the request', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    const { sessionId } = wire
    const refusal = (code: string) => [{ type: 'error', code, message: String, signature: undefined }]
    const long = await wire.post('x'.repeat(2 * 262_144))
    t.match(
      [long.status, long.frames, long.headers.get('cache-control')],
      [413, refusal('FRAME_TOO_LARGE'), 'no-store']
    )
    for (const id of ['x', 'x'.repeat(65), 'x'.repeat(4000), '%ff'.repeat(22), '%']) {
      Object.assign(wire, { sessionId: id })
      const unknown = await wire.post('')
      t.match([unknown.status, unknown.frames], [404, refusal('SESSION_NOT_FOUND')], id.slice(0, 80))
    }
    Object.assign(wire, { sessionId })
    t.equal((await wire.exchange([])).status, 200)
  })

  t.test('accepts one LF after an authenticate', async t => {
    const { gateway } = await startTwo(t, openStore)
    const credential = await gateway.createClient(permissions)
    const answers = ['\n', '\n\n', ''].map(async end => {
      const wire = await connectBridge(gateway.url)
      const body = `${wire.authenticateFrame(credential)}${end}`
      return (await fetch(`${gateway.url}/v1/bridge/sessions`, { method: 'POST', body })).status
    })
    t.same(await Promise.all(answers), [201, 400, 201])
  })
}
