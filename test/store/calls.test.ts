import t from 'tap'
import { createEmbeddedCalls } from '../../src/store/embedded/calls.js'
import { createClock } from '../helper/clock.js'
import { stores } from '../helper/stores.js'
import { callsSuite } from './calls.suite.js'

for (const [kind, open] of Object.entries(stores))
  t.test(kind, t => {
    callsSuite(t, open)
    t.end()
  })

t.test('embedded: refuses an owner with more than its share once the bytes are used up', async t => {
  const clock = createClock()
  const calls = createEmbeddedCalls(clock.now, 4000)
  const open = (owner: string, i: number) =>
    calls.open({ recordId: `${owner}-${i}`, callId: `c${i}`, digest: 'd', lifeMs: 1000, owner, waiter: 'w' })
  await open('loud', 0)
  await calls.settle('loud-0', 'c0', 'x'.repeat(4000))
  await t.rejects(open('loud', 1), { name: 'StoreUnavailable', message: 'the store does not answer' })
  t.same(await open('quiet', 1), { kind: 'opened' }, 'another owner has its own share')
  const [bound] = calls.bounds()
  t.match(bound, { name: 'call_bytes', limit: 4000 })
  t.ok((bound?.used ?? 0) > 4000)
  clock.advance(1001)
  t.same(await open('loud', 2), { kind: 'opened' }, 'ended calls make capacity')
  t.ok((calls.bounds()[0]?.used ?? 0) < 1000)
})
