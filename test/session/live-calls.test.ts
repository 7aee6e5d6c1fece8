import t, { type Test } from 'tap'
import { recordIdOf } from '../../src/calls/call-id.js'
import type { IncomingCall } from '../../src/calls/mailbox.js'
import { createCallRequest } from '../../src/calls/request.js'
import { CallRouter } from '../../src/calls/router.js'
import { type CallsOwner, LiveCalls, maxRememberedCalls } from '../../src/session/live-calls.js'
import { createClock } from '../helper/clock.js'
import { stores } from '../helper/stores.js'
import { until } from '../helper/until.js'

/** The calls of a session on this instance: what it cannot take yet, and its bounds. */

const recordOf = (seq: number) => recordIdOf('s', `${seq}`)

async function start(t: Test) {
  const clock = createClock()
  const { store } = await stores.embedded(t, clock.now)
  const receiver = { sessionId: 'r', clientId: 'game', instanceId: 'i', transport: 'ws' } as const
  const failures: unknown[] = []
  const router = new CallRouter({
    ...{ instanceId: 'i', store: store.calls, now: clock.now, isAlive: async () => true },
    directory: { get: async () => receiver, mostRecentlySeen: async () => receiver, forget() {} },
    mac: text => Buffer.from(text).toString('hex').padEnd(32, '0').slice(-32),
    charge() {},
    onFailure: error => failures.push(error)
  })
  t.teardown(() => router.stop())
  const open = (sessionId: string, maxOpen = 2) => {
    const sent: object[] = []
    const state = { mayQueue: true, ended: false }
    const owner: CallsOwner = {
      peer: { sessionId },
      get ended() {
        return state.ended
      },
      mayQueue: () => state.mayQueue,
      send: message => void sent.push(message)
    }
    return { sent, state, calls: new LiveCalls(router, owner, maxOpen) }
  }
  const [caller, called] = [open('c'), open('r')]
  const arrived: IncomingCall[] = []
  router.connect(
    {
      deliver(call) {
        arrived.push(call)
        return called.calls.receive(call)
      }
    },
    { deliver: () => 'missing', deliverOutcome: async () => {} }
  )
  const request = (seq: number) =>
    createCallRequest({
      ...{ caller: { clientId: 'panel', patterns: ['*'], owners: 'panel' }, to: { sessionId: 'r' }, method: 'm' },
      ...{ expiresAt: clock.now() + 10_000, recordId: recordOf(seq), isKeyed: false }
    })
  const make = (seq: number) => caller.calls.make(seq, request(seq))
  const callId = async (index: number) => {
    await until('the call arrives', async () => arrived.length > index)
    return arrived[index]?.callId ?? ''
  }
  return { clock, store, caller, called, request, make, callId, arrived, failures }
}

t.test('keeps an outcome until the caller reads fast enough for it', async t => {
  const { store, caller, called, request, make, callId } = await start(t)
  make(2)
  const id = await callId(0)
  caller.state.mayQueue = false
  t.equal(await called.calls.answer(id, { data: '"done"' }), false)
  await until('it is kept', async () => (await store.calls.result(request(2))) !== undefined)
  caller.calls.tick()
  t.same(caller.sent, [], 'still too slow')
  caller.state.mayQueue = true
  await until('it comes', async () => {
    caller.calls.tick()
    return caller.sent.length > 0
  })
  t.same(caller.sent, [{ type: 'called', members: '"re":2,"sessionId":"r","data":"done"}' }])
})

t.test('without a key, a second answer has no effect, and a late one is dropped', async t => {
  const { store, clock, caller, called, request, make, callId } = await start(t)
  make(2)
  const id = await callId(0)
  t.equal(await store.calls.result(request(2)), undefined)
  await called.calls.answer(id, { data: '1' })
  await until('the outcome comes', async () => caller.sent.length === 1)
  t.equal(await called.calls.answer(id, { data: '2' }), false)
  make(3)
  const late = await callId(1)
  clock.advance(10_001)
  called.calls.tick()
  t.equal(await called.calls.answer(late, { data: '3' }), true, 'it had expired')
  t.equal(caller.sent.length, 1)
})

t.test('a receiver that ends leaves its open calls unknown, at once', async t => {
  const { caller, called, make, callId } = await start(t)
  make(2)
  await callId(0)
  called.state.ended = true
  called.calls.close()
  await until('the outcome comes', async () => caller.sent.length === 1)
  t.match(caller.sent, [{ type: 'error', re: 2, code: 'CALL_TIMEOUT', outcome: 'unknown' }])
  make(3)
  await until('the outcome comes', async () => caller.sent.length === 2)
  t.match(caller.sent[1], { code: 'NO_RECEIVER' })
})

t.test('counts calls to the session until they are answered or have expired', async t => {
  const { clock, called } = await start(t)
  const call = (i: number, expiresAt = clock.now() + 1000) =>
    called.calls.receive({ sessionId: 'r', callId: `c${i}`, method: 'm', expiresAt, reply: 'i i 0' })
  t.equal(call(1), 'delivered')
  t.equal(call(2), 'delivered')
  t.equal(call(3), 'full')
  t.equal(call(2), 'delivered', 'repeated by whoever can write to the store')
  t.equal(called.sent.length, 2, 'and not delivered again')
  await called.calls.answer('c1', {})
  t.equal(call(4), 'delivered')
  t.equal(call(5), 'full')
  clock.advance(1001)
  t.equal(call(6), 'delivered')
  called.state.mayQueue = false
  t.equal(call(7), 'full', 'the outbox is full')
})

t.test('remembers a bounded number of calls', async t => {
  const { clock, called } = await start(t)
  const expiresAt = clock.now() + 1000
  for (let i = 0; i < maxRememberedCalls; i++) {
    called.calls.receive({ sessionId: 'r', callId: `c${i}`, method: 'm', expiresAt, reply: 'i i 0' })
    await called.calls.answer(`c${i}`, {})
  }
  t.equal(called.sent.length, maxRememberedCalls)
  const more = { sessionId: 'r', callId: 'more', method: 'm', expiresAt: expiresAt + 1000 }
  t.equal(called.calls.receive(more), 'full')
  clock.advance(1001)
  t.equal(called.calls.receive(more), 'delivered')
})
