import t from 'tap'
import { InstanceWatch, maxWatchedCalls } from '../../src/calls/instance-watch.js'
import { noReceiver, timedOut } from '../../src/calls/outcome.js'
import { PendingCalls } from '../../src/calls/pending-calls.js'

t.test('bug: a store that did not answer held up the outcome after the deadline', async t => {
  const pending = new PendingCalls()
  const outcome = await pending.wait(
    1,
    () => new Promise(() => {}),
    async () => timedOut
  )
  t.equal(outcome, timedOut)
  t.equal(pending.size, 0)
})

t.test('the first outcome counts, wherever it comes from', async t => {
  const pending = new PendingCalls()
  const atDeadline = async () => timedOut
  t.equal(await pending.wait(60_000, async () => noReceiver, atDeadline), noReceiver)
  const waiting = pending.wait(
    60_000,
    async waiter => {
      pending.resolve(waiter, noReceiver)
      return undefined
    },
    atDeadline
  )
  t.equal(await waiting, noReceiver)
  pending.resolve(99, noReceiver)
  await t.rejects(
    pending.wait(60_000, () => Promise.reject(new Error('refused')), atDeadline),
    { message: 'refused' }
  )
  t.equal(pending.size, 0)
})

t.test('finds the calls to lost instances, each once', async t => {
  const alive = new Set(['a', 'b'])
  const asked: string[] = []
  const watch = new InstanceWatch(async id => {
    asked.push(id)
    return alive.has(id)
  })
  watch.add('c1', { instanceId: 'a', expiresAt: 100 })
  watch.add('c2', { instanceId: 'b', expiresAt: 100, reply: 'w' })
  watch.add('c3', { instanceId: 'b', expiresAt: 10 })
  t.same(await watch.check(20), [])
  t.same(asked.sort(), ['a', 'b'], 'once for each instance')
  alive.delete('b')
  t.same(await watch.check(21), [{ callId: 'c2', reply: 'w' }], 'c3 has expired')
  t.same(await watch.check(22), [])
  for (let i = 0; i <= maxWatchedCalls; i++) watch.add(`more-${i}`, { instanceId: 'a', expiresAt: 100 })
  t.equal(watch.size, maxWatchedCalls)
})
