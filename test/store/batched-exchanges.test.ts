import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { ExchangeOutcome, ExchangeRequest } from '../../src/store/bridge.js'
import { maxBatchBytes, maxBatchCalls } from '../../src/store/redis/script-batches.js'
import { StoreUnavailable } from '../../src/store/store.js'
import { redisUrl } from '../helper/stores.js'
import { until } from '../helper/until.js'
import { connectionsTo, openBatched, scriptsDuring, serverOf } from './batch-helpers.js'

/** Exchanges of one turn of the event loop, which share a script, against the same ones one after the other. */

const sessions = ['a', 'b', 'c', 'text', 'numbers']

async function open(t: Test, url = redisUrl()) {
  const { store, root, prefix } = await openBatched(t, url)
  const openSession = (sessionId: string) =>
    store.bridge.open({ sessionId, info: 'info', positions: new Map(), challengeAt: 77 })
  for (const sessionId of sessions) await openSession(sessionId)
  const exchange = async (request: Partial<ExchangeRequest>) =>
    store.bridge.exchange({
      ...{ sessionId: 'a', instanceId: 'i', poll: 1, ack: 1, isLongPoll: false, messages: [] },
      ...{ answerBytes: 10_000, perSecond: 0 },
      ...request
    })
  return { bridge: store.bridge, root, keyOf: (sessionId: string) => `${prefix}:bridge:{${sessionId}}`, exchange }
}

const openServer = async (t: Test) => open(t, await serverOf(t))

interface Step {
  readonly sessionId: string
  readonly instanceId: string
  readonly poll: number
  readonly ack: number
  readonly first: number
  readonly messages: number
  readonly isAnswered: boolean
  readonly isLongPoll: boolean
  readonly mayUseReserve: boolean
}

const step = fc.record<Step>({
  sessionId: fc.constantFrom(...sessions, 'nobody'),
  instanceId: fc.constantFrom('i', 'i', 'i', 'j'),
  poll: fc.integer({ min: 1, max: 12 }),
  ack: fc.integer({ min: 1, max: 4 }),
  first: fc.integer({ min: 2, max: 6 }),
  messages: fc.integer({ min: 0, max: 3 }),
  isAnswered: fc.boolean(),
  isLongPoll: fc.boolean(),
  mayUseReserve: fc.boolean()
})

function requestOf({ first, messages: count, isAnswered, ...rest }: Step): Partial<ExchangeRequest> {
  const messages = Array.from({ length: count }, (_, i) => ({ seq: first + i, text: `text ${first + i}` }))
  const answers = messages.map((_, i) => `answer ${rest.ack + 1 + i}`)
  return { ...rest, messages, ...(isAnswered && count > 0 ? { answers } : {}) }
}

function failureOf(error: unknown): string {
  if (!(error instanceof StoreUnavailable)) throw error
  return `${error.outcome}: ${error.cause instanceof Error ? error.cause.name : ''}`
}

/** The outcomes by session, in their order, and what is stored. */
async function run(t: Test, steps: readonly Step[], turns: readonly number[]) {
  const { exchange, root, keyOf } = await open(t)
  await root.set(keyOf('text'), 'garbage')
  await root.hset(keyOf('numbers'), 'received', 'x')
  const outcomes: [string, ExchangeOutcome | string][] = []
  const left = [...steps]
  for (let i = 0; left.length > 0; i++) {
    const turn = left.splice(0, turns[i % turns.length] ?? 1)
    const made = await Promise.all(turn.map(each => exchange(requestOf(each)).catch(failureOf)))
    outcomes.push(...made.map((outcome, j): [string, ExchangeOutcome | string] => [turn[j]?.sessionId ?? '', outcome]))
  }
  const stored = await Promise.all(
    sessions
      .filter(sessionId => sessionId !== 'text')
      .map(async sessionId => [
        await root.hgetall(keyOf(sessionId)),
        await root.lrange(`${keyOf(sessionId)}@outbox`, 0, -1)
      ])
  )
  return { outcomes: sessions.map(name => outcomes.filter(([sessionId]) => sessionId === name)), stored }
}

t.test('property: exchanges of one turn have the outcomes that they have one after the other', async t => {
  await fc.assert(
    fc.asyncProperty(
      // Reserve and other instances begin scripts of their own, so the order of a session holds within each of them only.
      fc.array(step, { minLength: 2, maxLength: 50 }).map(steps => {
        const [first] = steps
        return steps.map(each => ({ ...each, instanceId: 'i', mayUseReserve: first?.mayUseReserve === true }))
      }),
      fc.array(fc.constantFrom(2, 7, 40), { minLength: 1, maxLength: 4 }),
      async (steps, turns) => {
        const [together, alone] = [await run(t, steps, turns), await run(t, steps, [1])]
        if (!t.same(together, alone)) throw new Error('they differ')
      }
    ),
    { numRuns: 40 }
  )
})

t.test('exchanges of different instances and of the reserve have their own arguments', async t => {
  const { exchange } = await open(t)
  const message = { messages: [{ seq: 2, text: 'text' }] }
  const outcomes = await Promise.all([
    exchange({ sessionId: 'a', instanceId: 'i', ...message }),
    exchange({ sessionId: 'b', instanceId: 'j', ...message }),
    exchange({ sessionId: 'c', instanceId: 'k', mayUseReserve: true, ...message })
  ])
  t.match(outcomes, [
    { state: { claims: [{ owner: 'i' }] } },
    { state: { claims: [{ owner: 'j' }] } },
    { state: { claims: [{ owner: 'k' }] } }
  ])
})

t.test('bug: an exchange that may use the reserve came before an earlier one of its session', async t => {
  const { exchange } = await open(t)
  const messageOf = (seq: number) => ({ messages: [{ seq, text: 'text' }] })
  const outcomes = await Promise.all([
    exchange({ sessionId: 'b', mayUseReserve: true }),
    exchange({ poll: 1, ...messageOf(2) }),
    exchange({ poll: 2, ...messageOf(3), mayUseReserve: true }),
    exchange({ poll: 3, ...messageOf(4) })
  ])
  t.match(outcomes.slice(1), [{ state: { received: 2 } }, { state: { received: 3 } }, { state: { received: 4 } }])
})

t.test('exchanges of one turn are one script, up to its bounds', async t => {
  const { exchange, root } = await openServer(t)
  let poll = 0
  const outcome = await exchange({ poll: ++poll })
  const known = outcome.kind === 'accepted' ? outcome.state : undefined
  const many = (count: number) => Promise.all(Array.from({ length: count }, () => exchange({ poll: ++poll, known })))
  t.equal(await scriptsDuring(root, () => many(20)), 1)
  t.equal(await scriptsDuring(root, () => many(maxBatchCalls + 1)), 2)
  const large = [{ seq: 2, text: 'x'.repeat(maxBatchBytes + 1) }]
  const withLarge = () =>
    Promise.all([
      exchange({ poll: ++poll, known }),
      exchange({ messages: large, known }),
      exchange({ poll: ++poll, known })
    ])
  t.equal(await scriptsDuring(root, withLarge), 3, 'a large one is alone')
})

t.test('the exchanges of one script share the bytes of frames that they return', async t => {
  const { exchange, bridge } = await open(t)
  const frames = Array.from({ length: 4 }, (_, i) => `frame ${2 + i}`.padEnd(99))
  for (const sessionId of ['a', 'b', 'c']) {
    const changes = { answered: [], frames, positions: new Map(), maxFrames: 10, maxBytes: 1000 }
    await bridge.commit({ sessionId, instanceId: 'i', version: 0, ...changes })
  }
  const lengths = async (poll: number, answerBytes: number) => {
    const outcomes = await Promise.all(
      ['a', 'b', 'c'].map(sessionId => exchange({ sessionId, poll, answerBytes, perSecond: 0 }))
    )
    return outcomes.map(outcome => (outcome.kind === 'accepted' ? outcome.state.frames.length : -1))
  }
  t.same(await lengths(1, 10_000), [4, 4, 4])
  t.same(await lengths(2, 600), [4, 2, 1])
  t.same(await lengths(3, 100), [1, 1, 1], 'one at least')
})

t.test('a demoted server fails the whole script, so that the gateway connects again', async t => {
  const { exchange, root } = await openServer(t)
  const both = (poll: number) =>
    Promise.allSettled(['a', 'b'].map(sessionId => exchange({ sessionId, poll, mayUseReserve: true })))
  t.match(await both(1), [{ value: { kind: 'accepted' } }, { value: { kind: 'accepted' } }])
  const before = await connectionsTo(root)
  await root.call('REPLICAOF', '127.0.0.1', '1')
  t.match(await both(2), [{ reason: { outcome: 'unsent' } }, { reason: { outcome: 'unsent' } }])
  await until('it has connected again', async () => (await connectionsTo(root)) > before)
  await root.call('REPLICAOF', 'NO', 'ONE')
})

t.test('bug: a session whose outbox was removed does not keep Redis busy', async t => {
  const { exchange, bridge, root, keyOf } = await openServer(t)
  const message = { messages: [{ seq: 2, text: 'text' }] }
  await exchange({ ...message, answers: ['answer 2'] })
  t.match(await exchange({ poll: 2 }), { state: { frames: ['answer 2'] } })
  await root.del(`${keyOf('a')}@outbox`)
  const [a, b] = await Promise.allSettled([exchange({ poll: 3 }), exchange({ sessionId: 'b' })])
  t.match(a, { status: 'rejected', reason: StoreUnavailable })
  t.match(b, { value: { kind: 'accepted' } })
  await t.rejects(bridge.read('a', 1000), StoreUnavailable)
})
