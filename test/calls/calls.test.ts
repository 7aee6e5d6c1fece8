import t, { type Test } from 'tap'
import { defaultLimits } from '../../src/protocol/limits.js'
import type { Message } from '../helper/wire.js'
import { answerNext, type Combination, callFrom, combinations } from './harness.js'

/** Calls (PROTOCOL §16), between every two transports, on each store, on one and two instances. */

const unknown = 'x'.repeat(63)

function suite(t: Test, { start }: Combination): void {
  t.test('brings a call to a session, and its answer back', async t => {
    const { caller, receiver, clock } = await start(t)
    const asker = await caller({ clientId: 'panel', call: ['game/*'] })
    const { wire, sessionId } = await receiver()
    const data = { player: 'x', '\u2028': [1.5, null], deep: { a: '🙂' } }
    const { re, outcome } = callFrom(asker, { to: { sessionId }, data })
    const call = await wire.next('call')
    t.match(call, { from: 'panel', method: 'kick', data, expiresAt: clock.now() + 10_000 })
    t.match(call['callId'], /^[A-Za-z0-9_-]{22,64}$/)
    const result = { type: 'callResult', callId: call['callId'], data: ['done', { ok: true }] }
    t.match(await wire.ask(result), { type: 'ack', expired: undefined })
    t.match(await outcome, { type: 'called', re, sessionId, data: ['done', { ok: true }] })
    t.match(await wire.ask({ ...result, data: 'again' }), { type: 'ack' }, 'a second answer has no effect')
  })

  t.test('picks a live session of a client, and passes null and no data on', async t => {
    const { caller, receiver } = await start(t)
    const asker = await caller()
    const { wire, sessionId } = await receiver()
    const first = callFrom(asker, { to: { clientId: 'game' }, data: null })
    t.match(await answerNext(wire, { data: null }), { data: null })
    const called = await first.outcome
    t.match(called, { type: 'called', sessionId })
    t.equal(called['data'], null)
    const second = callFrom(asker, { to: { clientId: 'game' } })
    t.notOk('data' in (await answerNext(wire, {})))
    t.notOk('data' in (await second.outcome))
  })

  t.test('returns a receiver’s error, and reports a missing receiver', async t => {
    const { caller, receiver } = await start(t)
    const asker = await caller()
    const { wire, sessionId } = await receiver()
    const { re, outcome } = callFrom(asker, { to: { sessionId } })
    const error = { code: 'NO_HANDLER', message: 'kick is not handled' }
    await answerNext(wire, { error })
    t.match(await outcome, { type: 'error', re, code: 'CALL_FAILED', error })
    const gone = callFrom(asker, { to: { sessionId: 'nobody' } })
    t.match(await gone.outcome, { re: gone.re, code: 'NO_RECEIVER', outcome: undefined })
    const none = callFrom(asker, { to: { clientId: 'game2' }, method: 'x' })
    t.match(await none.outcome, { re: none.re, code: 'PERMISSION_DENIED' }, 'the patterns come first')
  })

  t.test('checks permissions before it reveals anything', async t => {
    const { caller, receiver } = await start(t)
    const { sessionId } = await receiver()
    const kicker = await caller({ call: ['game/kick', 'lobby/*'] })
    for (const to of [{ sessionId }, { clientId: 'game' }]) {
      t.match(await callFrom(kicker, { to, method: 'ban' }).outcome, { code: 'PERMISSION_DENIED' })
      t.match(await callFrom(kicker, { to, method: 'kick2' }).outcome, { code: 'PERMISSION_DENIED' })
    }
    t.match(await callFrom(kicker, { to: { clientId: 'lobby' } }).outcome, { code: 'NO_RECEIVER' })
    const nobody = await caller({})
    for (const to of [{ sessionId }, { sessionId: 'nobody' }, { clientId: 'game' }, { clientId: 'none' }]) {
      t.match(await callFrom(nobody, { to }).outcome, { code: 'PERMISSION_DENIED' })
    }
  })

  t.test('refuses malformed calls, and the session continues', async t => {
    const { caller, receiver } = await start(t)
    const asker = await caller({ call: ['*'] })
    const { wire, sessionId } = await receiver()
    const to = { sessionId }
    for (const [title, members] of Object.entries({
      'no target': { to: {} },
      'two targets': { to: { sessionId, clientId: 'game' } },
      'a list as target': { to: [] },
      'an odd method': { to, method: 'a/b' },
      'a long method': { to, method: 'x'.repeat(65) },
      'no time': { to, timeoutMs: 99 },
      'too much time': { to, timeoutMs: 30_001 },
      'an empty key': { to, idempotencyKey: '' },
      'large data': { to, data: 'x'.repeat(33_000) }
    })) {
      const { re, outcome } = callFrom(asker, members)
      t.match(await outcome, { type: 'error', re, code: 'INVALID_MESSAGE' }, title)
    }
    for (const [title, members] of Object.entries({
      'an unknown id': { callId: unknown },
      'a short id': { callId: 'x' },
      'data and an error': { callId: unknown, data: 1, error: { code: 'A', message: '' } },
      'a small code': { callId: unknown, error: { code: 'a', message: '' } },
      'a long message': { callId: unknown, error: { code: 'A', message: 'é'.repeat(513) } },
      'large data': { callId: unknown, data: 'x'.repeat(33_000) }
    })) {
      t.match(await wire.ask({ type: 'callResult', ...members }), { code: 'INVALID_MESSAGE' }, title)
    }
    const { outcome } = callFrom(asker, { to, method: 'A.b:c_d-9' })
    t.match(await answerNext(wire, { data: 'x'.repeat(32_000) }), { method: 'A.b:c_d-9' })
    t.match(await outcome, { type: 'called', data: 'x'.repeat(32_000) })
  })

  t.test('bug: a call to a target with an unknown member was sent', async t => {
    const { caller, receiver } = await start(t)
    const asker = await caller()
    const { wire, sessionId } = await receiver()
    for (const to of [
      { clientId: 'game', all: true },
      { sessionId, all: true },
      { clientId: 'game', jobId: 'x' }
    ]) {
      t.match(await callFrom(asker, { to }).outcome, { code: 'INVALID_MESSAGE' }, JSON.stringify(to))
    }
    const { outcome } = callFrom(asker, { to: { sessionId }, method: 'next' })
    t.match(await answerNext(wire, {}), { method: 'next' }, 'none of them ran')
    await outcome
  })

  t.test('knows no call of another session', async t => {
    const { caller, receiver } = await start(t)
    const asker = await caller()
    const { wire, sessionId } = await receiver()
    const other = await receiver()
    const { outcome } = callFrom(asker, { to: { sessionId } })
    const { callId } = await wire.next('call')
    const foreign = { type: 'callResult', callId, data: 'forged' }
    t.match(await other.wire.ask(foreign), { code: 'INVALID_MESSAGE' })
    await wire.ask({ type: 'callResult', callId, data: 'true' })
    t.match(await outcome, { data: 'true' })
  })

  t.test('a call with a key runs once, and its repeats get the same answer', async t => {
    const { caller, receiver, near, clock } = await start(t)
    const credential = await near.createClient({ call: ['game/*'] })
    const asker = await near.session(credential)
    const { wire, sessionId } = await receiver()
    const members = { to: { sessionId }, data: 1, idempotencyKey: 'k' }
    const first = callFrom(asker, members)
    const call = await wire.next('call')
    const again = await near.session(credential)
    const waits = callFrom(again, { ...members, timeoutMs: 30_000 })
    // The repeat is in the store before the answer is.
    const conflict = await callFrom(await near.session(credential), { ...members, data: 2 }).outcome
    t.match(conflict, { code: 'INVALID_MESSAGE', message: /idempotencyKey/ })
    await wire.ask({ type: 'callResult', callId: call['callId'], data: 'done' })
    t.match(await first.outcome, { data: 'done' })
    t.match(await waits.outcome, { type: 'called', re: waits.re, data: 'done' })
    t.match(await callFrom(again, members).outcome, { data: 'done', sessionId }, 'from the store')
    for (const change of [{ method: 'ban' }, { to: { clientId: 'game' } }, { data: undefined }]) {
      t.match(await callFrom(again, { ...members, ...change }).outcome, { code: 'INVALID_MESSAGE' })
    }
    const foreign = callFrom(await caller({ call: ['game/*'] }), members)
    t.match(await answerNext(wire, { data: 'another' }), { data: 1 }, 'the key of another client is another key')
    t.match(await foreign.outcome, { data: 'another' })
    t.ok(clock.now())
  })

  t.test(
    'a receiver that ends before it answers: unknown at once, and the repeat reaches no other session',
    async t => {
      const { caller, receiver, near } = await start(t)
      const asker = await caller()
      const { wire, sessionId } = await receiver()
      const members = { to: { clientId: 'game' }, timeoutMs: 30_000, idempotencyKey: 'k' }
      const { outcome } = callFrom(asker, members)
      t.match(await wire.next('call'), { method: 'kick' })
      await near.admin('DELETE', `/sessions/${sessionId}`)
      t.match(await outcome, { code: 'CALL_TIMEOUT', outcome: 'unknown' })
      await receiver()
      t.match(await callFrom(asker, members).outcome, { code: 'CALL_TIMEOUT', outcome: 'unknown' })
    }
  )

  t.test('a late answer is stored for its key only', async t => {
    const patient = { config: { heartbeatTimeoutSeconds: 900, bridgeTimeoutSeconds: 900 } }
    const { caller, receiver, clock, near, far } = await start(t, patient)
    const asker = await caller()
    const { wire, sessionId } = await receiver()
    const members = { to: { sessionId }, timeoutMs: 100, idempotencyKey: 'k' }
    const { outcome } = callFrom(asker, members)
    const { callId } = await wire.next('call')
    clock.advance(101)
    await near.app.tick()
    t.match(await outcome, { code: 'CALL_TIMEOUT', outcome: 'unknown' })
    const late = { type: 'callResult', callId, data: 'late' }
    t.match(await wire.ask(late), { type: 'ack', expired: true })
    t.match(await callFrom(asker, members).outcome, { type: 'called', data: 'late' })
    clock.advance(5 * 60_000)
    if (far !== near) await far.app.tick()
    t.match(await wire.ask(late), { code: 'INVALID_MESSAGE' }, 'five minutes after it expired')
  })

  t.test('bounds the open calls of a caller and of a receiver, whatever the rates', async t => {
    const { caller, receiver } = await start(t)
    const asker = await caller()
    const { wire, sessionId } = await receiver()
    const to = { sessionId }
    const { openCalls } = defaultLimits
    for (let i = 0; i < openCalls; i++) asker.send({ type: 'call', method: 'kick', to, data: i, timeoutMs: 30_000 })
    const { re, outcome } = callFrom(asker, { to })
    t.match(await outcome, { re, code: 'RATE_LIMITED', retryAfterMs: Number }, 'of the caller')
    const calls: Message[] = []
    while (calls.length < openCalls) calls.push(await wire.next('call'))
    t.same(
      calls.map(({ data }) => data),
      calls.map((_, i) => i),
      'in order'
    )
    const refused = await callFrom(await caller(), { to }).outcome
    t.match(refused, { code: 'RATE_LIMITED', retryAfterMs: Number }, 'of the receiver')
    for (const { callId } of calls) wire.send({ type: 'callResult', callId })
    for (const _ of calls) t.match(await wire.next(), { type: 'ack' })
    for (const _ of calls) t.match(await asker.next(), { type: 'called' })
    const free = callFrom(asker, { to })
    await answerNext(wire, {})
    t.match(await free.outcome, { type: 'called' })
  })
}

for (const combination of combinations) t.test(combination.title, async t => suite(t, combination))
