import type { Test } from 'tap'
import type { BridgeState, ExchangeRequest } from '../../src/store/bridge.js'
import { createClock } from '../helper/clock.js'
import type { OpenStoreForTest } from '../helper/stores.js'

/** Exchanges that bring the answers to their messages (PROTOCOL §9.4 c), on each store. */

let lastId = 0

const messages = [2, 3].map(seq => ({ seq, text: `text ${seq}` }))
const answers = ['answer to 2 ü', 'answer to 3']
const answerBytes = 1000

export function bridgeAnswersSuite(t: Test, openStore: OpenStoreForTest): void {
  async function open(t: Test) {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const sessionId = `answers-${process.pid}-${++lastId}`
    await store.bridge.open({ sessionId, info: 'info', positions: new Map(), challengeAt: 77 })
    const exchange = (request: Partial<ExchangeRequest>) =>
      store.bridge.exchange({
        ...{ sessionId, instanceId: 'a', poll: 1, ack: 1, isLongPoll: false, messages: [], answerBytes, perSecond: 0 },
        ...request
      })
    const current = async (): Promise<BridgeState> => {
      const state = await store.bridge.read(sessionId, answerBytes)
      if (state === undefined) throw new Error('the session is gone')
      return state
    }
    const commit = async (frames: readonly string[], maxBytes = 100) =>
      store.bridge.commit({
        ...{ sessionId, instanceId: 'b', version: (await current()).version, answered: [], frames, maxBytes },
        ...{ positions: new Map(), maxFrames: 10 }
      })
    return { clock, store, sessionId, exchange, current, commit }
  }

  t.test('commits answers in the step that accepts their messages', async t => {
    const { exchange, current, commit } = await open(t)
    const outcome = await exchange({ messages, answers, known: await current() })
    t.match(outcome, { kind: 'accepted', isNewPoll: true, claimed: 0 })
    if (outcome.kind !== 'accepted') return
    t.same(outcome.state, await current())
    t.match(outcome.state, { version: 1, received: 3, sent: 3, ack: 1, frames: answers, claims: [] })
    t.match(
      await exchange({ poll: 2, messages }),
      { claimed: 0, state: { frames: answers } },
      'kept until acknowledged'
    )
    t.match(await exchange({ poll: 3, ack: 2 }), { state: { frames: ['answer to 3'] } })
    const more = 'x'.repeat(20)
    t.equal(await commit([more], 11 + 19), 'full', 'their bytes count')
    t.equal(await commit([more], 11 + 20), 'done')
  })

  t.test('commits answers again and again', async t => {
    const { exchange, current } = await open(t)
    let known = await current()
    for (let seq = 2; seq < 7; seq++) {
      const request = {
        poll: seq,
        ack: known.sent,
        messages: [{ seq, text: '' }],
        answers: [`answer to ${seq}`],
        known
      }
      const outcome = await exchange(request)
      if (outcome.kind !== 'accepted') throw new Error(outcome.kind)
      known = outcome.state
      t.same(known, await current())
    }
    t.match(known, { version: 5, received: 6, sent: 6, ack: 5, frames: ['answer to 6'] })
  })

  t.test('returns as many of the answers as fit', async t => {
    const { exchange, current } = await open(t)
    const outcome = await exchange({ messages, answers, known: await current(), answerBytes: 5 })
    t.match(outcome, { state: { sent: 3, frames: answers.slice(0, 1) } })
  })

  t.test('commits answers for a caller that knows an older state or none', async t => {
    const { exchange, current, commit } = await open(t)
    const first = await current()
    await commit(['frame 2'])
    for (const [i, known] of [first, undefined].entries()) {
      const { received, sent } = await current()
      const seq = received + 1
      const request = { poll: 1 + i, ack: sent, messages: [{ seq, text: '' }], answers: [`answer to ${seq}`], known }
      const outcome = await exchange(request)
      t.match(outcome, { kind: 'accepted', claimed: 0, state: { frames: [`answer to ${seq}`], received: seq } })
      if (outcome.kind === 'accepted') t.same(outcome.state, await current())
    }
  })

  t.test('changes nothing when the answers are not the next frames', async t => {
    const { exchange, current, commit } = await open(t)
    const first = await current()
    const refused = async (why: string, request: Partial<ExchangeRequest>) => {
      for (const known of [undefined, first, await current()]) {
        const before = await current()
        t.same(await exchange({ messages, answers, known, ...request }), { kind: 'changed' }, why)
        t.same(await current(), before, `${why}: nothing was changed`)
      }
    }
    await refused('there is one answer less than messages', { answers: answers.slice(1) })
    await commit(['frame 2'])
    await refused('a frame is not acknowledged', {})
    await exchange({ poll: 1, ack: 2, messages: messages.slice(0, 1) })
    await refused('a message was accepted before', { poll: 2, ack: 2 })
    const third = { messages: messages.slice(1), answers: ['frame 3'], ack: 2 }
    await refused('a claim is open', { ...third, poll: 2 })
    await refused('the poll is not new', { ...third, poll: 1 })
    t.match(await exchange({ poll: 2, ack: 2 }), { kind: 'accepted' }, 'it did not use its poll number')
  })

  t.test('refuses an exchange with answers for the reasons of any other', async t => {
    const { clock, store, sessionId, exchange, current } = await open(t)
    const known = await current()
    const tooHigh = [{ seq: 9, text: '' }]
    t.match(await exchange({ messages: tooHigh, answers: ['x'], known }), { kind: 'gap', expectedSeq: 2 })
    // Each costs 500 ms of the rate, of which a burst may use 2 s in advance.
    let last = known
    for (let poll = 1; poll <= 2; poll++) {
      const seq = poll + 1
      const request = { poll, ack: last.sent, messages: [{ seq, text: '' }], answers: [`${seq}`], perSecond: 2 }
      const outcome = await exchange({ ...request, known: last })
      if (outcome.kind !== 'accepted') throw new Error(outcome.kind)
      last = outcome.state
    }
    const next = {
      poll: 3,
      ack: last.sent,
      messages: [{ seq: 4, text: '' }],
      answers: ['4'],
      perSecond: 2,
      known: last
    }
    t.match(await exchange(next), { kind: 'limited' })
    t.same(await current(), last)
    await store.bridge.end(sessionId, 'bye', 1000)
    clock.advance(1)
    t.match(await exchange(next), { kind: 'ended', code: 'bye' })
  })
}
