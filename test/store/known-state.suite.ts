import type { Test } from 'tap'
import type { BridgeState, ExchangeRequest } from '../../src/store/bridge.js'
import type { OpenStoreForTest } from '../helper/stores.js'

/** The result of an exchange does not depend on the state known to its caller, on each store. */

const answerBytes = 1000
const steps = 400

let lastId = 0

export function knownStateSuite(t: Test, openStore: OpenStoreForTest): void {
  t.test('a caller that knows a state gets the one that is stored, whatever others did', async t => {
    const { store } = await openStore(t, () => 0)
    const sessionId = `known-${process.pid}-${++lastId}`
    const positions = new Map([['client:x', { offset: 3, epoch: 'e' }]])
    await store.bridge.open({ sessionId, info: 'info', positions, challengeAt: 77 })
    let [poll, seed, ahead] = [0, 7, 0]
    const random = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647
      return Math.floor((seed / 2_147_483_647) * below)
    }
    const current = async (): Promise<BridgeState> => {
      const state = await store.bridge.read(sessionId, answerBytes)
      if (state === undefined) throw new Error('the session is gone')
      return state
    }
    const seen = new Map<string, BridgeState>()

    const exchange = async (instanceId: string) => {
      const { received, sent, ack } = await current()
      const messages: ExchangeRequest['messages'] = Array.from({ length: random(3) }, (_, i) => ({
        seq: received + 1 + i,
        text: 'text'
      }))
      const request: ExchangeRequest = {
        ...{ sessionId, instanceId, poll: ++poll, isLongPoll: false, messages, answerBytes, perSecond: 0 },
        ack: random(3) === 0 ? ack : sent,
        known: random(3) === 0 ? await current() : seen.get(instanceId)
      }
      const isAhead = messages.length > 0 && random(3) > 0 && (await answered(request))
      if (!isAhead) await claim(request)
    }
    const claim = async (request: ExchangeRequest) => {
      const outcome = await store.bridge.exchange(request)
      if (outcome.kind !== 'accepted') throw new Error(`not accepted: ${outcome.kind}`)
      t.same(outcome.state, await current(), `poll ${poll}`)
      t.equal(outcome.claimed, request.messages.length)
      seen.set(request.instanceId, outcome.state)
    }
    const answered = async (request: ExchangeRequest) => {
      const before = await current()
      const { messages, instanceId } = request
      const answers = messages.map((_, i) => `frame ${request.ack + 1 + i}`)
      const outcome = await store.bridge.exchange({ ...request, answers })
      const after = await current()
      const isNext = before.claims.length === 0 && before.sent === request.ack
      t.equal(outcome.kind, isNext ? 'accepted' : 'changed', `poll ${poll}`)
      if (outcome.kind !== 'accepted') {
        t.same(after, before)
        return false
      }
      t.same(outcome.state, after)
      t.match(after, { version: before.version + 1, received: before.received + messages.length, frames: answers })
      seen.set(instanceId, outcome.state)
      ahead++
      return true
    }
    const commit = async (instanceId: string) => {
      const { version, claims, sent } = await current()
      const answered = claims.filter(({ owner }) => owner === instanceId).map(({ seq }) => seq)
      await store.bridge.commit({
        ...{ sessionId, instanceId, version, answered, maxFrames: 1000, maxBytes: 100_000 },
        frames: answered.map((_, i) => `frame ${sent + 1 + i}`),
        positions: new Map([['room', random(2) === 0 ? { offset: version, epoch: 'e' } : undefined]])
      })
      if (random(2) === 0) seen.set(instanceId, await current())
    }

    for (let i = 0; i < steps; i++) {
      const [me, other] = random(2) === 0 ? ['a', 'b'] : ['b', 'a']
      const step = random(8)
      if (step === 0) await store.bridge.takeOver(sessionId, other, me)
      else if (step < 3) await commit(me)
      else if (step < 5) for (const instanceId of [me, other]) await commit(instanceId)
      else await exchange(me)
    }
    t.ok(poll > 20, 'there were exchanges')
    t.ok(ahead > 9, `${ahead} of them brought answers`)
  })
}
