import t from 'tap'
import { outboxBytes, outboxFrames } from '../../src/protocol/limits.js'
import { createNodeMac } from '../../src/protocol/mac-node.js'
import { Session } from '../../src/session/session.js'
import { createTestDependencies } from '../helper/dependencies.js'
import { keys, peer, stuckTransport } from './parts.js'

/** A session over a transport that no socket can imitate. */

t.test('limits the outbox by bytes and by frames, and sends SLOW_CONSUMER once', async t => {
  const dependencies = await createTestDependencies(t)
  for (const [bytes, frames, over] of [
    [outboxBytes, outboxFrames, false],
    [outboxBytes + 1, 1, true],
    [1, outboxFrames + 1, true]
  ] as const) {
    const { transport, sent, closed } = stuckTransport(bytes, frames)
    const endings: string[] = []
    const session = new Session(dependencies, transport, { peer, keys, expiresAt: Infinity }, (_, ending) => {
      endings.push(ending)
    })
    session.send({ type: 'heartbeat', serverTime: 1 })
    t.equal(session.ended, over)
    t.same(endings, over ? ['SLOW_CONSUMER'] : [])
    t.same(closed, over ? [[4511, 'SLOW_CONSUMER']] : [])
    t.equal(sent.length, over ? 2 : 1)
    if (over) t.match(JSON.parse(sent[1] ?? ''), { type: 'error', seq: 2, code: 'SLOW_CONSUMER' })
    session.send({ type: 'heartbeat', serverTime: 1 })
    session.end('INTERNAL')
    t.equal(sent.length, over ? 2 : 3, 'nothing after the end')
  }
})

t.test('ends a session with INTERNAL when its handler throws, without the reason', async t => {
  const dependencies = await createTestDependencies(t)
  dependencies.registry.licenses.validate = () => Promise.reject(new Error('a bug'))
  const { transport, sent, closed } = stuckTransport(0, 0)
  const session = new Session(dependencies, transport, { peer, keys, expiresAt: Infinity }, () => {})
  const body = '{"type":"validate","seq":2,"serviceId":"s","hwid":"h","key":"k"}'
  const frame = `${body.slice(0, -1)},"signature":"${createNodeMac(keys.clientKey).ofText(body)}"}`
  await session.receive(Buffer.from(frame))
  t.match(JSON.parse(sent[0] ?? ''), { type: 'error', code: 'INTERNAL' })
  t.notMatch(sent[0], /a bug/)
  t.same(closed, [[4500, 'INTERNAL']])
})
