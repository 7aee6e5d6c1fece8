import type { Test } from 'tap'
import { maxCallWaiters, type NewCall } from '../../src/store/calls.js'
import { createClock } from '../helper/clock.js'
import type { OpenStoreForTest } from '../helper/stores.js'
import { until } from '../helper/until.js'

/** Calls (PROTOCOL §16), on each store. */

export function callsSuite(t: Test, openStore: OpenStoreForTest): void {
  async function open(t: Test) {
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    const call = (wanted: Partial<NewCall> = {}): NewCall => ({
      ...{ recordId: 'r', callId: 'c', digest: 'd', lifeMs: 60_000, owner: 'game', waiter: 'w1' },
      ...wanted
    })
    return { clock, calls: store.calls, another, call }
  }

  t.test('keeps the first result, for all waiters', async t => {
    const { calls, call } = await open(t)
    t.equal(await calls.join(call()), undefined, 'there is nothing to join')
    t.same(await calls.open(call()), { kind: 'opened' })
    t.same(await calls.open(call({ callId: 'c2', waiter: 'w2' })), { kind: 'repeated', callId: 'c' })
    t.same(await calls.join(call({ waiter: 'w3' })), { kind: 'repeated', callId: 'c' })
    t.same(await calls.join(call({ digest: 'other' })), { kind: 'conflict' })
    t.equal(await calls.result(call()), undefined)
    t.same(await calls.settle('r', 'c2', 'forged'), { kind: 'missing' })
    const result = 'é "🙂"\nline'
    t.same(await calls.settle('r', 'c', result), { kind: 'settled', waiters: ['w1', 'w2', 'w3'] })
    t.same(await calls.settle('r', 'c', 'second'), { kind: 'repeated' })
    t.equal(await calls.result(call()), result)
    t.equal(await calls.result(call({ digest: 'other' })), undefined, 'of another call')
    t.same(await calls.join(call({ waiter: 'w4' })), { kind: 'repeated', callId: 'c', result })
  })

  t.test('removes a call that did not run', async t => {
    const { calls, call } = await open(t)
    await calls.open(call())
    await calls.join(call({ waiter: 'w2' }))
    t.same(await calls.drop('r', 'other'), [])
    t.same(await calls.drop('r', 'c'), ['w1', 'w2'])
    t.same(await calls.drop('r', 'c'), [])
    t.same(await calls.settle('r', 'c', 'x'), { kind: 'missing' })
    const others = ['w2', 'w3']
    t.same(await calls.open(call({ digest: 'another', others })), { kind: 'opened' }, 'the key is free')
    t.same(await calls.open(call({ digest: 'another', others: ['w4'], waiter: 'w5' })), {
      kind: 'repeated',
      callId: 'c'
    })
    t.same(await calls.settle('r', 'c', 'x'), { kind: 'settled', waiters: ['w2', 'w3', 'w1', 'w4', 'w5'] })
  })

  t.test('keeps the newest waiters up to the bound', async t => {
    const { calls, call } = await open(t)
    await calls.open(call({ waiter: 'w0' }))
    for (let i = 1; i <= maxCallWaiters; i++) await calls.join(call({ waiter: `w${i}` }))
    const waiters = Array.from({ length: maxCallWaiters }, (_, i) => `w${i + 1}`)
    t.same(await calls.settle('r', 'c', 'x'), { kind: 'settled', waiters })
  })

  t.test('forgets a call when its life is over', async t => {
    const { clock, calls, call } = await open(t)
    await calls.open(call({ lifeMs: 30 }))
    clock.advance(31)
    await until('it is forgotten', async () => (await calls.join(call())) === undefined)
    t.same(await calls.settle('r', 'c', 'late'), { kind: 'missing' })
  })

  t.test('sends texts to instances', async t => {
    const { calls, another } = await open(t)
    const received: string[] = []
    const id = `instance-${process.pid}-${Math.random()}`
    const other = (await another()).calls
    t.teardown(other.listen(id, text => received.push(text)))
    await until('the instance gets a text', async () => calls.send(id, 'a text\nof two lines'))
    await until('it arrives', async () => received.length > 0)
    t.equal(received[0], 'a text\nof two lines')
    t.equal(await calls.send('nobody', 'x'), false)
  })
}
