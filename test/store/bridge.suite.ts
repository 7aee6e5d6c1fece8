import type { Test } from 'tap'
import type { BridgeCommit, BridgeNotification, ExchangeRequest } from '../../src/store/bridge.js'
import type { Position } from '../../src/store/channels.js'
import type { Store } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import type { OpenStoreForTest } from '../helper/stores.js'
import { until } from '../helper/until.js'

/** Bridge sessions (PROTOCOL §9.4), on each store. */

let lastId = 0

export function bridgeSuite(t: Test, openStore: OpenStoreForTest): void {
  async function open(t: Test, positions: readonly (readonly [string, Position])[] = []) {
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    const sessionId = `session-${process.pid}-${++lastId}`
    await store.bridge.open({ sessionId, info: 'info', positions: new Map(positions), challengeAt: 77 })
    const exchange = (request: Partial<ExchangeRequest>, of: Store = store) =>
      of.bridge.exchange({
        ...{ sessionId, instanceId: 'a', poll: 1, ack: 1, isLongPoll: false, messages: [] },
        ...{ answerBytes: 1000, perSecond: 0 },
        ...request
      })
    const accepted = async (request: Partial<ExchangeRequest>, of?: Store) => {
      const outcome = await exchange(request, of)
      if (outcome.kind !== 'accepted') throw new Error(`not accepted: ${outcome.kind}`)
      return outcome
    }
    const commit = (wanted: Partial<BridgeCommit>, of: Store = store) =>
      of.bridge.commit({
        ...{ sessionId, instanceId: 'a', version: 0, answered: [], frames: [], positions: new Map() },
        ...{ maxFrames: 10, maxBytes: 100 },
        ...wanted
      })
    const message = (seq: number) => ({ seq, text: `text ${seq}` })
    return { clock, store, another, sessionId, exchange, accepted, commit, message }
  }

  t.test('keeps everything that a session was opened with', async t => {
    const position = { offset: 3, epoch: 'e:1' }
    const { store, sessionId, accepted } = await open(t, [['client:x', position]])
    t.same(await store.bridge.info(sessionId), { info: 'info' })
    t.equal(await store.bridge.info('nobody'), undefined)
    const { state, isNewPoll, claimed } = await accepted({})
    t.match({ isNewPoll, claimed }, { isNewPoll: true, claimed: 0 })
    t.match(state, { version: 0, received: 1, sent: 1, ack: 1, challenge: { nextAt: 77 } })
    t.same([...state.positions], [['client:x', position]])
    t.same([state.frames, state.claims], [[], []])
  })

  t.test('accepts messages by their seq, whatever the poll number (rule b)', async t => {
    const { exchange, accepted, message } = await open(t)
    t.match(await accepted({ messages: [message(2), message(3)] }), { claimed: 2, state: { received: 3 } })
    t.match(
      await exchange({ messages: [message(2), message(3)] }),
      { kind: 'stale' },
      'an old poll without new messages'
    )
    t.match(await exchange({ poll: 2, messages: [message(5)] }), { kind: 'gap', expectedSeq: 4 })
    t.match(await accepted({ poll: 1, messages: [message(3), message(4)] }), {
      ...{ isNewPoll: false, claimed: 1 },
      state: { received: 4, claims: [2, 3, 4].map(seq => ({ seq, owner: 'a' })) }
    })
    t.match(await accepted({ poll: 2, messages: [message(2)] }), { isNewPoll: true, claimed: 0 })
    t.match(
      await exchange({ poll: 2 }),
      { kind: 'stale' },
      'the refused batch did not use its poll number, the accepted one did'
    )
  })

  t.test('keeps frames unchanged until they are acknowledged (rule e)', async t => {
    const { accepted, commit } = await open(t)
    t.equal(await commit({ frames: ['two ü', 'three'] }), 'done')
    t.equal(await commit({ version: 1, frames: ['four'] }), 'done')
    t.match(await accepted({}), { state: { version: 2, sent: 4, ack: 1, frames: ['two ü', 'three', 'four'] } })
    t.match(await accepted({ poll: 2, ack: 3 }), { state: { ack: 3, frames: ['four'] } })
    t.match(await accepted({ poll: 3, ack: 2 }), { state: { ack: 3, frames: ['four'] } }, 'a lower ack has no effect')
    t.match(await accepted({ poll: 4, ack: 3, answerBytes: 1 }), { state: { frames: ['four'] } }, 'at least one')
  })

  t.test('returns the first frames that fit into the answer', async t => {
    const { accepted, commit } = await open(t)
    const frames = Array.from({ length: 200 }, (_, i) => `frame ${i}`)
    t.equal(await commit({ frames, maxFrames: 200, maxBytes: 1e6 }), 'done')
    const some = (await accepted({ answerBytes: 1000 })).state.frames
    t.ok(some.join('\n').length <= 1000)
    t.same(some, frames.slice(0, some.length))
    t.same((await accepted({ poll: 2, answerBytes: 1e6 })).state.frames, frames)
  })

  t.test('accepts nothing of a session whose ack was above every assigned seq: the store was rewound', async t => {
    const { store, sessionId, exchange, commit } = await open(t)
    for (const ack of [2, 1]) t.same(await exchange({ ack }), { kind: 'missing', isRewound: true })
    t.equal(await store.bridge.read(sessionId, 99), undefined)
    t.equal(await commit({ frames: ['two'] }), 'gone')
    t.match(await store.bridge.end(sessionId, 'SESSION_NOT_FOUND', 1000), { code: 'SESSION_NOT_FOUND', openCalls: [] })
    t.match(await store.bridge.info(sessionId), { ended: 'SESSION_NOT_FOUND' })
    t.same(await exchange({ ack: 1 }), { kind: 'missing', isRewound: true })
  })

  t.test('accepts one of two commits on the same version', async t => {
    const { store, another, sessionId, commit, accepted, message } = await open(t)
    const other = await another()
    await accepted({ messages: [message(2)] })
    const outcomes = await Promise.all([
      commit({ answered: [2], frames: ['mine'] }),
      commit({ frames: ['theirs'], instanceId: 'b' }, other)
    ])
    t.same([...outcomes].sort(), ['changed', 'done'])
    t.match(await store.bridge.read(sessionId, 99), { version: 1, sent: 2 })
  })

  t.test('rejects a commit that answers claims of another instance', async t => {
    const { store, sessionId, commit, accepted, message } = await open(t)
    await accepted({ messages: [message(2), message(3)] })
    t.equal(await commit({ instanceId: 'b', answered: [2], frames: ['x'] }), 'changed')
    t.same(await store.bridge.takeOver(sessionId, 'a', 'b'), [message(2), message(3)])
    t.same(await store.bridge.takeOver(sessionId, 'a', 'c'), [], 'only once')
    t.equal(await commit({ answered: [2], frames: ['x'] }), 'changed', 'the claim has another owner')
    t.equal(await commit({ instanceId: 'b', answered: [2, 3], frames: ['x', 'y'] }), 'done')
    t.match(await store.bridge.read(sessionId, 99), { claims: [], frames: ['x', 'y'] })
  })

  t.test('moves positions and the challenge with the commit', async t => {
    const { store, sessionId, commit } = await open(t, [['gone', { offset: 1, epoch: 'e' }]])
    const position = { offset: 9, epoch: 'f' }
    const challenge = { nextAt: 99, open: 'token' }
    const positions = new Map([
      ['gone', undefined],
      ['new', position]
    ])
    t.equal(await commit({ positions, challenge }), 'done')
    const state = await store.bridge.read(sessionId, 99)
    t.same([...(state?.positions ?? [])], [['new', position]])
    t.same(state?.challenge, challenge)
    t.equal(await commit({ version: 1, challenge: { nextAt: 100 } }), 'done')
    t.same((await store.bridge.read(sessionId, 99))?.challenge, { nextAt: 100 })
  })

  t.test('rejects a whole commit that exceeds the bounds of the outbox', async t => {
    const { store, sessionId, commit, accepted, message } = await open(t)
    await accepted({ messages: [message(2)] })
    const frames = Array.from({ length: 11 }, () => 'f')
    t.equal(await commit({ answered: [2], frames }), 'full')
    t.equal(await commit({ answered: [2], frames: ['x'.repeat(101)] }), 'full')
    t.match(await store.bridge.read(sessionId, 99), { sent: 1, claims: [{ seq: 2 }] })
    t.equal(await commit({ frames: frames.slice(1) }), 'done')
    t.equal(await commit({ version: 1, frames: ['f'] }), 'full')
    await accepted({ poll: 2, ack: 3 })
    t.equal(await commit({ version: 1, frames: ['f'] }), 'done', 'acknowledged frames make room')
  })

  t.test('counts only new polls and messages against the rate', async t => {
    const { exchange, accepted, message } = await open(t)
    t.match(await accepted({ perSecond: 2, messages: [message(2), message(3), message(4)] }), { claimed: 3 })
    const refused = await exchange({ perSecond: 2, poll: 2 })
    t.equal(refused.kind, 'limited')
    if (refused.kind === 'limited') t.ok(refused.retryAfterMs > 0 && refused.retryAfterMs <= 500)
    t.match(await exchange({ perSecond: 2, messages: [message(2)] }), { kind: 'stale' }, 'repeats cost nothing')
    t.match(await exchange({ perSecond: 2, poll: 2, messages: [message(5)] }), { kind: 'limited' })
    t.match(await accepted({ poll: 2, messages: [message(5)] }), { claimed: 1 }, 'a limited exchange changed nothing')
  })

  t.test('keeps the first code of an ended session for a while', async t => {
    const { clock, store, sessionId, exchange, commit, accepted, message } = await open(t)
    await accepted({ messages: [message(2)] })
    const ended = { code: 'SESSION_REVOKED', isFirst: true, openCalls: [] }
    t.same(await store.bridge.end(sessionId, 'SESSION_REVOKED', 120_000), ended)
    t.same(await store.bridge.end(sessionId, 'HEARTBEAT_LOST', 120_000), { ...ended, isFirst: false })
    t.equal(await store.bridge.end('nobody', 'HEARTBEAT_LOST', 1), undefined)
    t.match(await exchange({ poll: 2 }), { kind: 'ended', code: 'SESSION_REVOKED' })
    t.same(await store.bridge.info(sessionId), { info: 'info', ended: 'SESSION_REVOKED' })
    t.equal(await store.bridge.read(sessionId, 99), undefined)
    t.equal(await commit({ answered: [2], frames: ['x'] }), 'gone')
    t.same(await store.bridge.takeOver(sessionId, 'a', 'b'), [])
    clock.advance(120_000)
    if (store.kind === 'embedded') t.match(await exchange({ poll: 3 }), { kind: 'missing' })
  })

  t.test('notifies instances', async t => {
    const { store, another, sessionId, commit, accepted, message } = await open(t)
    const other = await another()
    const received: [string, BridgeNotification][] = []
    // Unique ids, because other tests may listen to the same instances.
    const [a, b] = [`${sessionId}-a`, `${sessionId}-b`]
    const ready = { a: 0, b: 0 }
    const listener = (name: 'a' | 'b') => ({
      notification: (id: string, notification: BridgeNotification) =>
        void (id === sessionId && received.push([name, notification])),
      mayHaveMissed: () => void ready[name]++
    })
    const stops = [store.bridge.listen(a, listener('a')), other.bridge.listen(b, listener('b'))]
    t.teardown(() => {
      for (const stop of stops) stop()
    })
    if (store.kind === 'redis') await until('both listen', async () => ready.a > 0 && ready.b > 0)
    const receives = (name: string, notification: BridgeNotification) =>
      until(`${name} receives ${notification}`, async () =>
        received.some(([to, what]) => to === name && what === notification)
      )

    await accepted({ instanceId: a, isLongPoll: true })
    await commit({ instanceId: b, frames: ['f'], notify: 'frames' }, other)
    await receives('a', 'frames')
    await accepted({ instanceId: b, poll: 2, messages: [message(2)] }, other)
    await accepted({ instanceId: a, poll: 3, messages: [message(2)] })
    await commit({ instanceId: b, version: 1, answered: [2], frames: ['f'] }, other)
    // The embedded store has one instance, which knows its own claims.
    if (store.kind === 'redis') {
      await receives('a', 'claims')
      await accepted({ instanceId: b, poll: 4, isLongPoll: true }, other)
      await receives('a', 'superseded')
    }
    await store.bridge.end(sessionId, 'bye', 1000)
    await receives(store.kind === 'redis' ? 'b' : 'a', 'ended')
  })

  t.test('an instance is alive after its heartbeat', async t => {
    const { store, sessionId } = await open(t)
    t.equal(await store.bridge.isAlive(sessionId), false)
    const stop = store.bridge.listen(sessionId, { notification() {}, mayHaveMissed() {} })
    t.teardown(stop)
    await store.bridge.heartbeat(sessionId, 60_000, { schemaVersion: 2 })
    t.equal(await store.bridge.isAlive(sessionId), true)
  })
}
