import { createHmac } from 'node:crypto'
import t, { type Test } from 'tap'
import { CallOrder } from '../../src/calls/call-order.js'
import type { CallReceivers, Delivered, OutcomeReceivers } from '../../src/calls/carrier.js'
import type { Receiver } from '../../src/calls/directory.js'
import type { CallOutcome } from '../../src/calls/outcome.js'
import { type CallRequest, createCallRequest } from '../../src/calls/request.js'
import { CallRouter } from '../../src/calls/router.js'
import { type CallsOwner, LiveCalls } from '../../src/session/live-calls.js'
import type { CallStore } from '../../src/store/calls.js'
import { StoreUnavailable } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import { startGateway } from '../helper/gateway.js'
import { type OpenStoreForTest, stores } from '../helper/stores.js'
import { until } from '../helper/until.js'
import { connectWire } from '../helper/wire.js'
import { answerNext, callFrom } from './harness.js'

/** Orders of events that docs/model/calls.pml found. */

type Receive = (sessionId: string) => Promise<Delivered>

interface Setup {
  readonly router: CallRouter
  readonly store: CallStore
  /** Makes one call of one idempotency key. */
  call(data?: string): Promise<CallOutcome>
  request(data?: string): CallRequest
  /** Ids of the calls that were delivered. */
  readonly callIds: string[]
  /** Errors in the background. */
  readonly failures: string[]
}

interface SetupOptions {
  readonly receive?: Receive
  /** Replaces methods of the store. */
  readonly change?: (store: CallStore) => Partial<CallStore>
  /** The sessions of the client that is called, in the order in which they are tried. */
  readonly sessions?: readonly string[]
}

async function setUp(t: Test, openStore: OpenStoreForTest, options: SetupOptions = {}): Promise<Setup> {
  const { receive = async () => 'delivered', change = () => ({}), sessions = ['s1'] } = options
  const clock = createClock()
  const store = (await openStore(t, clock.now)).store.calls
  const left = [...sessions]
  const callIds: string[] = []
  const failures: string[] = []
  const found = (): Receiver | undefined =>
    left[0] === undefined ? undefined : { sessionId: left[0], clientId: 'game', instanceId: 'i', transport: 'bridge' }
  const router = new CallRouter({
    instanceId: 'i',
    store: { ...store, ...change(store) },
    directory: { get: async () => found(), mostRecentlySeen: async () => found(), forget: () => void left.shift() },
    isAlive: async () => true,
    mac: text => createHmac('sha256', 'key').update(text).digest('hex').slice(0, 32),
    charge() {},
    onFailure: error => void failures.push(String(error)),
    now: clock.now
  })
  const polled: CallReceivers & OutcomeReceivers = {
    async deliver({ sessionId, callId }) {
      const delivered = await receive(sessionId)
      if (delivered === 'delivered') callIds.push(callId)
      return delivered
    },
    async deliverOutcome() {}
  }
  router.connect({ deliver: () => 'missing' }, polled)
  t.teardown(() => router.stop())
  const request = (data = '1') =>
    createCallRequest({
      ...{ caller: { clientId: 'panel', patterns: undefined, owners: 'panel' }, to: { clientId: 'game' } },
      ...{ method: 'kick', data, expiresAt: clock.now() + 10_000, recordId: 'r'.repeat(22), isKeyed: true }
    })
  return { router, store, request, call: data => router.call(request(data), new CallOrder()), callIds, failures }
}

const answer = (data: string): CallOutcome => ({ kind: 'answered', sessionId: 's', result: { data } })

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`bug: a repeat of a call that moves to another session waits with it, ${kind}`, async t => {
    let repeated: Promise<CallOutcome> | undefined
    let hasJoined = false
    const setup = await setUp(t, openStore, {
      sessions: ['s1', 's2'],
      async receive(sessionId) {
        if (sessionId === 's2') return 'delivered'
        repeated = setup.call()
        await until('the repeat has joined', () => hasJoined)
        return 'missing'
      },
      change: store => ({
        async join(call) {
          const outcome = await store.join(call)
          hasJoined ||= outcome !== undefined
          return outcome
        }
      })
    })
    const first = setup.call()
    await setup.router.settle(await nextOf(setup.callIds), answer('"done"'))
    t.same(await first, answer('"done"'))
    t.same(await repeated, answer('"done"'), 'it was not told that nothing ran')
  })

  t.test(`bug: a refusal comes once the key is free, ${kind}`, async t => {
    const refuses = { receive: async () => 'full' as const }
    const setup = await setUp(t, openStore, refuses)
    t.match(await setup.call(), { code: 'RATE_LIMITED' })
    t.equal(await setup.store.join({ ...setup.request(), waiter: 'i i 1' }), undefined, 'nothing is bound')
    await setup.router.keep(setup.request(), { kind: 'refused', code: 'RATE_LIMITED' })
    t.equal(await setup.store.join({ ...setup.request(), waiter: 'i i 1' }), undefined, 'nor by a refusal that waits')
    const drop = () => Promise.reject(new StoreUnavailable(undefined, 'unsent'))
    const { call } = await setUp(t, openStore, { ...refuses, change: () => ({ drop }) })
    t.match(await call(), { code: 'UNAVAILABLE', outcome: 'unknown' }, 'the key may be bound')
  })

  t.test(`bug: an unexpected error of a call left its caller without an answer, ${kind}`, async t => {
    const { router, failures, request } = await setUp(t, openStore, {
      change: () => ({
        open() {
          throw new TypeError('broken')
        }
      })
    })
    const sent: unknown[] = []
    const peer = { sessionId: 'caller' }
    const calls = new LiveCalls(router, { peer, ended: false, mayQueue: () => true, send: each => sent.push(each) }, 1)
    for (const seq of [2, 3]) {
      calls.make(seq, request())
      await until('it has an answer', () => sent.length > 0)
      t.match(sent.splice(0), [{ type: 'error', re: seq, code: 'UNAVAILABLE', outcome: 'unknown' }])
    }
    t.match(failures, [/broken/, /broken/], 'and it is reported')
  })

  t.test(`bug: a call that the store refused to deliver does not bind its key, ${kind}`, async t => {
    let isAway = true
    const setup = await setUp(t, openStore, {
      receive: () => (isAway ? Promise.reject(new StoreUnavailable(undefined, 'unsent')) : Promise.resolve('delivered'))
    })
    t.match(await setup.call(), { code: 'UNAVAILABLE', outcome: 'unsent' })
    isAway = false
    const repeated = setup.call()
    await setup.router.settle(await nextOf(setup.callIds), answer('1'))
    t.same(await repeated, answer('1'))
  })

  t.test(`bug: a call that waits gets no answer of another call with its key, ${kind}`, async t => {
    const { router, call, callIds, request } = await setUp(t, openStore)
    const first = call()
    await router.settle(await nextOf(callIds), answer('1'))
    t.same(await first, answer('1'))
    t.same(await router.outcomeOf(request()), answer('1'))
    t.match(await router.outcomeOf(request('2')), { code: 'CALL_TIMEOUT', outcome: 'unknown' })

    const sent: object[] = []
    let isFree = false
    const owner: CallsOwner = {
      ...{ peer: { sessionId: 's' }, ended: false, mayQueue: () => isFree },
      send: message => void sent.push(message)
    }
    const calls = new LiveCalls(router, owner, 16)
    calls.make(1, request('2'))
    await router.call(request('2'), new CallOrder())
    isFree = true
    await until('the outcome is sent', () => {
      calls.tick()
      return sent.length > 0
    })
    t.match(sent, [{ type: 'error', re: 1 }], 'an outcome that did not fit is none of another call')
  })
}

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`bug: a bridge session whose call was not sent gets no answer of another call, ${kind}`, async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    let isStuck = false
    let wasAsked = false
    const join: CallStore['join'] = call => {
      wasAsked = isStuck
      return isStuck ? new Promise(() => {}) : store.calls.join(call)
    }
    const changed = { ...store, calls: { ...store.calls, join } }
    const gateway = await startGateway(t, { store: changed, transport: 'bridge', clock, config: { lingerMs: 0 } })
    const game = await connectWire(t, gateway.wsUrl)
    game.authenticate(await gateway.createClient({ clientId: 'game' }))
    await game.next('welcome')
    const caller = await gateway.session(await gateway.createClient({ call: ['game/*'] }))
    const members = { to: { clientId: 'game' }, data: 1, timeoutMs: 100, idempotencyKey: 'k' }
    const first = callFrom(caller, members)
    await answerNext(game, { data: 'one' })
    t.match(await first.outcome, { data: 'one' })
    isStuck = true
    const { re, outcome } = callFrom(caller, { ...members, data: 2 })
    await until('the session awaits the call', () => wasAsked)
    clock.advance(101)
    t.match(await outcome, { type: 'error', re, code: 'CALL_TIMEOUT', outcome: 'unknown' })
  })
}

/** Waits for the next call that was delivered. */
async function nextOf(callIds: string[]): Promise<string> {
  await until('a call is delivered', () => callIds.length > 0)
  return callIds.shift() ?? ''
}
