import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { byteLength } from '../../src/protocol/check.js'
import { signMessage, verifyFrame } from '../../src/protocol/frame.js'
import { scanFrameText } from '../../src/protocol/json-scan.js'
import { createNodeMac } from '../../src/protocol/mac-node.js'
import { decodeAuthenticate, decodeDownstream, decodePoll, decodeUpstream } from '../../src/protocol/messages.js'
import { ProtocolError } from '../../src/protocol/protocol-error.js'

const mac = createNodeMac(Buffer.alloc(32, 1))
const depth = 32

/** Strings without lone surrogates, which JSON.stringify would escape. */
const text = fc.string({ unit: 'binary' })
const jsonMember = fc.jsonValue({ maxDepth: 6 }).filter(value => JSON.stringify(value).isWellFormed())

t.test('a signed message decodes to an equal message', async t => {
  const message = fc.record({
    type: fc.constant('publish'),
    seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    channel: fc.constant('match:1'),
    data: jsonMember
  })
  fc.assert(
    fc.property(message, sent => {
      const decoded = decodeUpstream(verifyFrame(mac, Buffer.from(signMessage(mac, sent)), depth))
      // Compared as JSON, in which -0 is 0.
      return 'message' in decoded && JSON.stringify(decoded.message) === JSON.stringify(sent)
    }),
    { numRuns: 1000 }
  )
  t.pass('a thousand messages')
})

t.test('refuses a frame with any one byte changed', async t => {
  const frame = Buffer.from(signMessage(mac, { type: 'validate', seq: 7, serviceId: 's', hwid: 'grüße 👋', key: 'k' }))
  const isRefused = (changed: Buffer) => {
    try {
      verifyFrame(mac, changed, depth)
      return false
    } catch (error) {
      return error instanceof ProtocolError
    }
  }
  const accepted: string[] = []
  for (let i = 0; i < frame.length; i++) {
    for (const flip of [1, 0x20, 0x80, 0xff]) {
      const changed = Buffer.from(frame)
      changed[i] = (changed[i] ?? 0) ^ flip
      if (!isRefused(changed)) accepted.push(`${i} ^ ${flip}`)
    }
  }
  t.same(accepted, [])
  fc.assert(
    fc.property(
      fc.jsonValue().map(value => Buffer.from(signMessage(mac, { type: 't', seq: 1, value }))),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (any, at, flip) => {
        const i = at % any.length
        any[i] = (any[i] ?? 0) ^ flip
        return isRefused(any)
      }
    ),
    { numRuns: 500 }
  )
})

t.test('decoders throw only ProtocolError, for any input', async t => {
  const anyText = fc.oneof(
    fc.string(),
    text,
    fc.json(),
    fc.jsonValue().map(value => JSON.stringify({ type: 'validate', seq: 1, value })),
    fc
      .record({
        type: fc.constantFrom('validate', 'authenticate', 'poll', 'publish', 'constructor', '__proto__', 'toString'),
        seq: fc.anything(),
        key: fc.anything(),
        hwid: fc.anything(),
        attributes: fc.anything(),
        recover: fc.anything()
      })
      .map(value => {
        try {
          return JSON.stringify(value) ?? ''
        } catch {
          return ''
        }
      })
  )
  const onlyProtocolErrors = (run: () => unknown) => {
    try {
      run()
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
    }
  }
  fc.assert(
    fc.property(anyText, any => {
      onlyProtocolErrors(() => scanFrameText(any, depth))
      for (const decode of [decodeUpstream, decodeAuthenticate, decodePoll, decodeDownstream]) {
        onlyProtocolErrors(() => decode(any))
      }
    }),
    { numRuns: 3000 }
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), bytes => onlyProtocolErrors(() => verifyFrame(mac, bytes, depth))),
    { numRuns: 2000 }
  )
  t.pass('thousands of inputs')
})

t.test('checks the rules of PROTOCOL §2.3', async t => {
  const nested = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`
  const good = [
    '{}',
    '{"a":1}',
    '{ "a" : [1, 2.5e3, -0.1] }',
    '{"a":{"b":1},"b":{"b":2}}',
    '{"a":["x","x"],"b":"a"}',
    '{"a":{"signature":"x"}}',
    '{"a":"\\ud83d\\udc4b","b":"\\"\\\\"}',
    '{"a":"\\\\ud800"}',
    '{"a":1.7976931348623157e308}',
    nested(32)
  ]
  const bad: [string, string][] = [
    ['[]', 'an array'],
    ['', 'empty'],
    ['{"a":1,"a":2}', 'duplicate'],
    ['{"seq":1,"s\\u0065q":2}', 'duplicate by escape'],
    ['{"__proto__":1,"__proto__":2}', 'duplicate __proto__'],
    ['{"constructor":1,"constructor":2}', 'duplicate constructor'],
    ['{"signature":"x"}', 'signature inside'],
    ['{"sign\\u0061ture":"x"}', 'signature by escape'],
    ['{"a":"\\ud800"}', 'lone high'],
    ['{"a":"\\udc4b\\ud83d"}', 'low before high'],
    ['{"a":"\\ud800\\ud800"}', 'two high'],
    ['{"a":"\\ud800x"}', 'high before a letter'],
    ['{"a":"\\ud800\\n"}', 'high before another escape'],
    ['{"\\ud800":1}', 'lone in a name'],
    ['{"a":1e400}', 'infinite'],
    ['{"a":[-1e999]}', 'minus infinite'],
    [`{"a":${'9'.repeat(400)}}`, 'infinite by digits'],
    ['{"a":1,\n"b":2}', 'LF'],
    ['{"a":1,\r"b":2}', 'CR'],
    ['{"a":"x', 'a string that is not terminated'],
    [nested(33), 'too deep'],
    [`{"a":${'['.repeat(10_000)}`, 'far too deep']
  ]
  for (const one of good) t.doesNotThrow(() => scanFrameText(one, depth), one.slice(0, 40))
  for (const [one, why] of bad) t.throws(() => scanFrameText(one, depth), { code: 'PROTOCOL_ERROR' }, why)
})

t.test('checks the members of upstream messages', async t => {
  const decode = (message: object) => {
    const decoded = decodeUpstream(JSON.stringify({ type: 'validate', seq: 2, serviceId: 's', key: 'k', ...message }))
    return 'error' in decoded ? decoded.error.code : decoded.message.type
  }
  const euros = '€'.repeat(85) // 255 bytes
  t.equal(decode({}), 'validate')
  t.equal(decode({ hwid: `${euros}a` }), 'validate', '256 bytes')
  t.equal(decode({ hwid: `${euros}ab` }), 'INVALID_MESSAGE', '257 bytes in 87 characters')
  for (const hwid of ['', null, 5, {}, [], true]) t.equal(decode({ hwid }), 'INVALID_MESSAGE', JSON.stringify(hwid))
  for (const key of ['', null, 5, 'x'.repeat(257)]) t.equal(decode({ key }), 'INVALID_MESSAGE')
  for (const serviceId of ['', '.a', 'a b', 'ä', 'a'.repeat(65), 'a\n'])
    t.equal(decode({ serviceId }), 'INVALID_MESSAGE')
  t.equal(decode({ type: 'subscribe', channel: 'a b' }), 'INVALID_CHANNEL')
  t.equal(decode({ type: 'subscribe', channel: 5 }), 'INVALID_MESSAGE')
  for (const type of ['constructor', '__proto__', 'toString', 'poll', '']) t.equal(decode({ type }), 'UNKNOWN_TYPE')
  t.equal(decode({ type: 'authenticate' }), 'PROTOCOL_ERROR')
  for (const seq of [0, -1, 1.5, '2', null, 2 ** 53, [2], {}]) {
    t.throws(() => decode({ seq }), { code: 'PROTOCOL_ERROR' }, `seq ${JSON.stringify(seq)}`)
  }
  t.throws(() => decodeUpstream('{"type":"heartbeat"}'), { code: 'PROTOCOL_ERROR' }, 'no seq')
  t.equal(decodeUpstream('{"type":"heartbeat","seq":2.0}').seq, 2, '2.0 is the integer 2')
})

t.test('bug: an empty array passed for an object that has required members', async t => {
  const codeOf = (members: object) => {
    const decoded = decodeUpstream(JSON.stringify({ seq: 2, ...members }))
    return 'error' in decoded ? decoded.error.code : undefined
  }
  const callId = 'A'.repeat(22)
  for (const members of [
    { type: 'subscribe', channel: 'a', recover: [] },
    { type: 'history', channel: 'a', before: [] },
    { type: 'callResult', callId, error: [] }
  ]) {
    t.equal(codeOf(members), 'INVALID_MESSAGE', JSON.stringify(members))
  }
  t.equal(codeOf({ type: 'attributes', attributes: [] }), undefined)
})

t.test('accepts an empty array as an empty object (Luau)', async t => {
  const frame = {
    ...{ type: 'authenticate', seq: 1, protocol: 'countersign.v1', clientId: 'c', attributes: [] },
    ...{ challengeToken: 'A'.repeat(43), challengeSignature: '0'.repeat(64), clientNonce: 'n'.repeat(22) }
  }
  t.same(decodeAuthenticate(JSON.stringify(frame)).attributes, {})
  const refused = (change: object, code: string) =>
    t.throws(() => decodeAuthenticate(JSON.stringify({ ...frame, ...change })), { code }, JSON.stringify(change))
  refused({ attributes: [1] }, 'PROTOCOL_ERROR')
  refused({ attributes: { a: 'x'.repeat(129) } }, 'PROTOCOL_ERROR')
  refused({ attributes: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`a${i}`, 'x'])) }, 'PROTOCOL_ERROR')
  refused({ attributes: { '': 'x' } }, 'PROTOCOL_ERROR')
  refused({ attributes: { ['n'.repeat(33)]: 'x' } }, 'PROTOCOL_ERROR')
  refused({ seq: 2 }, 'PROTOCOL_ERROR')
  refused({ challengeToken: 'A'.repeat(42) }, 'PROTOCOL_ERROR')
  refused({ clientNonce: 'n'.repeat(21) }, 'PROTOCOL_ERROR')
  refused({ keyId: null }, 'PROTOCOL_ERROR')
  refused({ protocol: 'countersign.v2' }, 'UNSUPPORTED_PROTOCOL')
  refused({ protocol: 1 }, 'PROTOCOL_ERROR')
})

t.test('counts the bytes of UTF-8', async t => {
  fc.assert(fc.property(text, any => byteLength(any) === Buffer.byteLength(any)))
  t.equal(byteLength('grüße 👋'), 12)
})

t.test('checks.generated.ts is up to date with the schemas', async t => {
  const fresh = execFileSync(process.execPath, ['scripts/generate-checks.mjs', '--print'], { encoding: 'utf8' })
  t.equal(readFileSync('src/protocol/checks.generated.ts', 'utf8'), fresh, 'run: npm run generate')
})
