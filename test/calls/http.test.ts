import t, { type Test } from 'tap'
import { maxCalledSessions } from '../../src/calls/call-all.js'
import { HttpCallers, maxOpenCallsPerToken, maxOpenHttpCalls } from '../../src/calls/http-callers.js'
import { type Gateway, testAdminToken } from '../helper/gateway.js'
import { answerNext, combinations, type Pair } from './harness.js'

/** `POST /v1/calls`, to receivers on each transport and store, on one and two instances. */

interface Answer {
  readonly status: number
  readonly type: string | null
  // biome-ignore lint/suspicious/noExplicitAny: tests check the answers member by member
  readonly body: any
  readonly retryAfter: string | null
}

async function post(gateway: Gateway, body: object, token = testAdminToken): Promise<Answer> {
  const answer = await fetch(`${gateway.url}/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ method: 'kick', ...body })
  })
  const text = await answer.text()
  const type = answer.headers.get('content-type')
  const lines = () => text.trimEnd().split('\n')
  const parsed = type === 'application/x-ndjson' ? lines().map(line => JSON.parse(line)) : JSON.parse(text)
  return { status: answer.status, type, body: parsed, retryAfter: answer.headers.get('retry-after') }
}

async function tokenOf({ near }: Pair, call: readonly string[]): Promise<string> {
  return (await near.admin('POST', '/tokens', { name: 'panel', scopes: ['calls'], call })).body.token
}

function suite(t: Test, start: (t: Test) => Promise<Pair>): void {
  t.test('calls a session, and returns its answer', async t => {
    const pair = await start(t)
    const { wire, sessionId } = await pair.receiver()
    const called = post(pair.near, { to: { sessionId }, data: { a: [1] } })
    const call = await answerNext(wire, { data: { '\u2028': '🙂' } })
    t.match(call, { method: 'kick', data: { a: [1] } })
    t.notOk('from' in call, 'the caller has no session')
    t.match(await called, { status: 200, body: { sessionId, data: { '\u2028': '🙂' } } })
    const none = post(pair.near, { to: { clientId: 'game' } })
    await answerNext(wire, {})
    t.same((await none).body, { sessionId }, 'no data')
    const nothing = post(pair.near, { to: { clientId: 'game' } })
    await answerNext(wire, { data: null })
    t.same((await nothing).body, { sessionId, data: null })
  })

  t.test('has a status for each outcome', async t => {
    const pair = await start(t)
    const { near } = pair
    const { wire, sessionId } = await pair.receiver()
    const to = { sessionId }
    const error = { code: 'PLAYER_GONE', message: 'not here' }
    const failed = post(near, { to })
    await answerNext(wire, { error })
    t.match(await failed, { status: 502, body: { code: 'CALL_FAILED', error } })
    const silent = post(near, { to, timeoutMs: 100 })
    t.match(await silent, { status: 504, body: { code: 'CALL_TIMEOUT', outcome: 'unknown' } })
    t.match(await post(near, { to: { sessionId: 'nobody' } }), { status: 404, body: { code: 'NO_RECEIVER' } })
    const kicker = await tokenOf(pair, ['game/kick'])
    t.match(await post(near, { to, method: 'ban' }, kicker), { status: 403, body: { code: 'PERMISSION_DENIED' } })
    const all = { to: { clientId: 'game', all: true }, method: 'ban' }
    t.match(await post(near, all, kicker), { status: 403, body: { code: 'PERMISSION_DENIED' } })
    const none = await tokenOf(pair, [])
    t.match(await post(near, { to: { sessionId: 'nobody' } }, none), { status: 403 })
    for (const bad of [
      {},
      { sessionId, clientId: 'game' },
      { sessionId, all: true },
      { all: true },
      [],
      { clientId: '' }
    ]) {
      t.match(await post(near, { to: bad }), { status: 400, body: { code: 'BAD_REQUEST' } }, JSON.stringify(bad))
    }
    for (const bad of [{ method: 'a/b' }, { timeoutMs: 99 }, { timeoutMs: 30_001 }, { data: 'x'.repeat(33_000) }]) {
      t.match(await post(near, { to, ...bad }), { status: 400, body: { code: 'BAD_REQUEST' } })
    }
  })

  t.test('a key holds for its token, and makes a repeat safe', async t => {
    const pair = await start(t)
    const { near } = pair
    const { wire, sessionId } = await pair.receiver()
    const members = { to: { sessionId }, data: 1, idempotencyKey: 'k' }
    const first = post(near, members)
    await answerNext(wire, { data: 'done' })
    t.match(await first, { status: 200, body: { data: 'done' } })
    t.match(await post(near, members), { status: 200, body: { data: 'done' } })
    t.match(await post(near, { ...members, data: 2 }), { status: 400, body: { message: /idempotencyKey/ } })
    const token = await tokenOf(pair, ['game/*'])
    const other = post(near, members, token)
    await answerNext(wire, { data: 'again' })
    t.match(await other, { status: 200, body: { data: 'again' } })
  })

  t.test('calls all sessions of a client, and sums up', async t => {
    const pair = await start(t)
    const { near } = pair
    const all = { to: { clientId: 'game', all: true } }
    t.match(await post(near, all), { status: 404, body: { code: 'NO_RECEIVER' } })
    const [a, b, silent] = [await pair.receiver(), await pair.receiver(), await pair.receiver()]
    const called = post(near, { ...all, timeoutMs: 1500, idempotencyKey: 'k' })
    await answerNext(a.wire, { data: 'a' })
    await answerNext(b.wire, { error: { code: 'NO_HANDLER', message: '' } })
    const { type, body } = await called
    t.equal(type, 'application/x-ndjson')
    t.same(body.at(-1), { done: true, answered: 2, missing: 1 })
    const lines = new Map(body.slice(0, -1).map((line: { sessionId: string }) => [line.sessionId, line]))
    t.same(lines.get(a.sessionId), { sessionId: a.sessionId, data: 'a' })
    t.same(lines.get(b.sessionId), { sessionId: b.sessionId, error: { code: 'NO_HANDLER', message: '' } })
    t.equal(lines.size, 2)
    const again = await post(near, { ...all, timeoutMs: 100, idempotencyKey: 'k' })
    t.match(again.body.at(-1), { answered: 2, missing: 1 }, 'the key holds for each session')
    t.match(await silent.wire.next('call'), { method: 'kick' }, 'once')
  })

  t.test('bug: a call to all whose key was used for another one looked like silence', async t => {
    const pair = await start(t)
    const { wire, sessionId } = await pair.receiver()
    const all = { to: { clientId: 'game', all: true }, idempotencyKey: 'k' }
    const first = post(pair.near, all)
    await answerNext(wire, {})
    t.same((await first).body.at(-1), { done: true, answered: 1, missing: 0 })
    const { body } = await post(pair.near, { ...all, data: 'other' })
    t.match(body, [
      { sessionId, error: { code: 'INVALID_MESSAGE', message: /idempotencyKey/ } },
      { answered: 0, missing: 1 }
    ])
  })
}

for (const { title, caller, start } of combinations) {
  // The caller's transport makes no difference here.
  if (caller === 'ws') t.test(title, async t => suite(t, start))
}

t.test('bounds the calls that tokens have open', async t => {
  const callers = new HttpCallers()
  const close = callers.begin('token:a', maxOpenCallsPerToken)
  t.throws(() => callers.begin('token:a', 1), { code: 'RATE_LIMITED' })
  close()
  callers.begin('token:a', 1)
  callers.begin('token:b', maxOpenHttpCalls - maxOpenCallsPerToken)
  t.match(callers.bound, { used: maxOpenHttpCalls, limit: maxOpenHttpCalls })
  t.throws(() => callers.begin('token:c', 1), { code: 'RATE_LIMITED' })
  t.ok(maxCalledSessions <= maxOpenCallsPerToken, 'a token may call all sessions of a client')
})
