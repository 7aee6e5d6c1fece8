import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { hasValidSignature, signText, verifyFrame } from '../../src/protocol/frame.js'
import { deriveSession, signChallenge } from '../../src/protocol/handshake.js'
import { defaultLimits } from '../../src/protocol/limits.js'
import { hexToBytes, type MacMaker } from '../../src/protocol/mac.js'
import { createNodeMac } from '../../src/protocol/mac-node.js'
import { createPortableMac } from '../../src/protocol/mac-portable.js'
import { decodeAuthenticate, decodeDownstream, decodePoll, decodeUpstream } from '../../src/protocol/messages.js'
import { ProtocolError } from '../../src/protocol/protocol-error.js'

/** Published and shared test vectors, with both MAC implementations. */

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8'))
}

interface Wire {
  handshake: Record<
    'secret' | 'challengeToken' | 'clientNonce' | 'challengeSignature' | 'clientKey' | 'serverKey',
    string
  >
  upstream: { comment?: string; frame: string }[]
  downstream: { comment?: string; frame: string }[]
  refused: { comment: string; frame: string; key: string; code: string }[]
}

interface Wycheproof {
  testGroups: {
    tagSize: number
    tests: { tcId: number; comment: string; key: string; msg: string; tag: string; result: string }[]
  }[]
}

const makers: Record<string, MacMaker> = { node: createNodeMac, portable: createPortableMac }
const wire = read<Wire>('wire.json')
const clientKey = hexToBytes(wire.handshake.clientKey)
const serverKey = hexToBytes(wire.handshake.serverKey)

/** Whether `ofClosedBytes`, which appends a `}`, can compute the MAC of this message. */
function endsInBrace(message: Uint8Array): boolean {
  return message.at(-1) === 0x7d
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}

/** Verifies and decodes a frame as its receiver does. */
function accept(createMac: MacMaker, key: Uint8Array, frame: string, decode: (text: string) => unknown): unknown {
  return decode(verifyFrame(createMac(key), Buffer.from(frame), defaultLimits.depth))
}

function decodeAnyUpstream(text: string): unknown {
  if (text.startsWith('{"type":"authenticate"')) return decodeAuthenticate(text)
  if (text.startsWith('{"type":"poll"')) return decodePoll(text)
  const decoded = decodeUpstream(text)
  if ('error' in decoded) throw decoded.error
  return decoded
}

for (const [name, createMac] of Object.entries(makers)) {
  t.test(`wire.json, ${name}`, async t => {
    const { secret, challengeToken, clientNonce } = wire.handshake
    const session = deriveSession(createMac, secret, challengeToken, clientNonce)
    t.equal(session.challengeSignature, wire.handshake.challengeSignature)
    t.equal(signChallenge(createMac, secret, challengeToken), wire.handshake.challengeSignature)
    t.same(Buffer.from(session.clientKey), Buffer.from(clientKey))
    t.same(Buffer.from(session.serverKey), Buffer.from(serverKey))

    for (const { frame, comment } of wire.upstream) {
      t.doesNotThrow(() => accept(createMac, clientKey, frame, decodeAnyUpstream), comment ?? frame.slice(0, 40))
      t.equal(
        signText(createMac(clientKey), `${frame.slice(0, -80)}}`),
        frame,
        'signing the text again gives the same bytes'
      )
    }
    for (const { frame, comment } of wire.downstream) {
      t.doesNotThrow(() => accept(createMac, serverKey, frame, decodeDownstream), comment ?? frame.slice(0, 40))
    }
    for (const { frame, comment, key, code } of wire.refused) {
      const keyBytes = key === 'client' ? clientKey : serverKey
      t.throws(() => accept(createMac, keyBytes, frame, decodeAnyUpstream), { name: 'ProtocolError', code }, comment)
    }
  })

  t.test(`Wycheproof, ${name}: full tags match, truncated and modified ones do not`, async t => {
    let full = 0
    let refused = 0
    for (const group of read<Wycheproof>('wycheproof/hmac_sha256_test.json').testGroups) {
      for (const { tcId, comment, key, msg, tag, result } of group.tests) {
        const message = hex(msg)
        const mac = createMac(hex(key))
        const text = message.toString('latin1')
        // ASCII text has the same bytes in UTF-8. Other messages can be tested with ofClosedBytes if they end with }.
        const isAscii = [...message].every(byte => byte < 0x80)
        if (!isAscii && !endsInBrace(message)) continue
        const own = isAscii ? mac.ofText(text) : mac.ofClosedBytes(message, message.length - 1)
        if (group.tagSize === 256 && result === 'valid') {
          t.equal(own, tag, `${tcId} ${comment}`)
          full++
        } else {
          t.not(own, tag, `${tcId} ${comment}`)
          refused++
        }
      }
    }
    t.ok(full > 0 && refused > 0, `${full} full, ${refused} refused`)
  })

  t.test(`Wycheproof, ${name}: frames that are signed with each key`, async t => {
    for (const group of read<Wycheproof>('wycheproof/hmac_sha256_test.json').testGroups) {
      for (const { tcId, key, msg, tag } of group.tests) {
        // Frames that node:crypto has signed must verify with the same key only.
        const body = JSON.stringify({ m: msg, tag })
        const frame = Buffer.from(signText(createNodeMac(hex(key)), body))
        t.equal(hasValidSignature(createMac(hex(key)), frame), true, `${tcId}`)
        t.equal(hasValidSignature(createMac(hex(`${key}01`)), frame), false, `${tcId} with another key`)
      }
    }
  })

  t.test(`RFC 4231, ${name}`, async t => {
    const { tests } = read<{ tests: { tc: number; key: string; msg: string; tag: string }[] }>('rfc4231.json')
    for (const { tc, key, msg, tag } of tests) {
      const message = hex(msg)
      const closed = Buffer.concat([message, Buffer.from('}')])
      const mac = createMac(hex(key))
      if ([...message].every(byte => byte < 0x80)) {
        t.equal(mac.ofText(message.toString('latin1')).slice(0, tag.length), tag, `case ${tc}`)
      }
      t.equal(mac.ofClosedBytes(message, message.length), createNodeMac(hex(key)).ofClosedBytes(closed, message.length))
    }
  })
}

t.test('the HMAC of random bytes equals that of node:crypto', async t => {
  const { createHmac, randomBytes } = await import('node:crypto')
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 5000, 65_536]) {
    const key = randomBytes(32)
    const message = randomBytes(length)
    const expected = createHmac('sha256', key).update(message).update('}').digest('hex')
    for (const createMac of Object.values(makers)) t.equal(createMac(key).ofClosedBytes(message, length), expected)
  }
})

t.test('a malformed frame and a wrong signature have different codes', async t => {
  const mac = createNodeMac(clientKey)
  const codeOf = (frame: string | Buffer) => {
    try {
      verifyFrame(mac, Buffer.from(frame), 32)
      return 'accepted'
    } catch (error) {
      return error instanceof ProtocolError ? error.code : 'another error'
    }
  }
  const good = signText(mac, '{"type":"heartbeat","seq":2}')
  t.equal(codeOf(good), 'accepted')
  t.equal(codeOf(good.replace('heartbeat', 'heartbeaT')), 'SIGNATURE_INVALID')
  t.equal(codeOf(good.toUpperCase()), 'PROTOCOL_ERROR')
  t.equal(codeOf(`${good}\n`), 'PROTOCOL_ERROR')
  t.equal(codeOf('{"type":"heartbeat","seq":2}'), 'PROTOCOL_ERROR')
  t.equal(codeOf(Buffer.alloc(200)), 'PROTOCOL_ERROR')
  t.equal(codeOf(signText(mac, '{"type":"heartbeat","seq":2,"x":-}')), 'PROTOCOL_ERROR')
  const badUtf8 = Buffer.concat([Buffer.from('{"type":"a","x":"'), Buffer.of(0xff), Buffer.from('"')])
  const tag = mac.ofClosedBytes(badUtf8, badUtf8.length)
  t.equal(codeOf(Buffer.concat([badUtf8, Buffer.from(`,"signature":"${tag}"}`)])), 'PROTOCOL_ERROR')
})

interface Frames {
  upstream: { comment: string; frame: string }[]
  downstream: { comment: string; frame: string }[]
  refused: { member: string; code: string; frame: string }[]
}

const frames = read<Frames>('frames.json')

for (const [name, createMac] of Object.entries(makers)) {
  t.test(`frames.json, ${name}`, async t => {
    for (const { frame, comment } of frames.upstream) {
      t.doesNotThrow(() => accept(createMac, clientKey, frame, decodeAnyUpstream), comment)
    }
    for (const { frame, comment } of frames.downstream) {
      const { message } = accept(createMac, serverKey, frame, decodeDownstream) as { message?: { type: string } }
      t.equal(message?.type, JSON.parse(frame).type, comment)
    }
    for (const { frame, member, code } of frames.refused) {
      const decoded = accept(createMac, clientKey, frame, decodeUpstream) as { seq: number; error?: ProtocolError }
      t.equal(decoded.error?.code, code, frame.slice(0, 80))
      t.ok(decoded.error?.message.startsWith(member), `${member}: ${decoded.error?.message}`)
      t.ok(decoded.seq > 1, 'it takes its seq')
    }
  })
}

t.test('bug: a rename across the project changed the vectors that all clients share', async t => {
  const file = readFileSync(new URL('../vectors/wire.json', import.meta.url))
  t.equal(
    createHash('sha256').update(file).digest('hex'),
    'c6a20b881295b98fdaac066278881b1ce896abbb93732cfd54402e1f9c2607d6'
  )
})
