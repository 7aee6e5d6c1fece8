import t from 'tap'
import { outboxBytes, outboxFrames } from '../../src/protocol/limits.js'
import { createNodeMac } from '../../src/protocol/mac-node.js'
import { maxStoreWaitMs } from '../../src/session/frame-intake.js'
import { Session } from '../../src/session/session.js'
import { StoreUnavailable } from '../../src/store/errors.js'
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

t.test('refuses what waited for a silent store, and not what waited for one that refused at once', async t => {
  let at = 1_000_000
  const dependencies = { ...(await createTestDependencies(t)), steadyNow: () => at }
  let answersAfterMs = 0
  let validations = 0
  dependencies.registry.licenses.validate = async () => {
    validations++
    at += answersAfterMs
    throw new StoreUnavailable(undefined, 'unknown')
  }
  const { transport, sent } = stuckTransport(0, 0)
  const session = new Session(dependencies, transport, { peer, keys, expiresAt: Infinity }, () => {})
  const mac = createNodeMac(keys.clientKey)
  let seq = 1
  /** Sends a message that waited for those before it. @returns the outcome of its refusal */
  async function validate(waitedMs: number): Promise<unknown> {
    const body = `{"type":"validate","seq":${++seq},"serviceId":"s","hwid":"h","key":"k"}`
    await session.receive(Buffer.from(`${body.slice(0, -1)},"signature":"${mac.ofText(body)}"}`), at - waitedMs)
    const refusal = JSON.parse(sent.at(-1) ?? '')
    t.match(refusal, { type: 'error', re: seq, code: 'UNAVAILABLE' })
    return refusal.outcome
  }
  t.equal(await validate(0), 'unknown')
  t.equal(await validate(maxStoreWaitMs), 'unknown', 'the store answered, so it is asked')
  answersAfterMs = maxStoreWaitMs
  t.equal(await validate(0), 'unknown')
  t.equal(validations, 3)
  t.equal(await validate(maxStoreWaitMs), 'unsent', 'it waited all that time')
  t.equal(validations, 3)
  t.equal(await validate(maxStoreWaitMs - 1), 'unknown')
  t.equal(validations, 4)
})
