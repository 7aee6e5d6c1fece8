import t from 'tap'
import { formatWaiter, parseWaiter, type Waiter } from '../../src/calls/waiter.js'

t.test('reads the stored form of each kind of waiter', async t => {
  const waiters: Waiter[] = [
    { kind: 'session', sessionId: 's_1', re: 7 },
    { kind: 'instance', instanceId: 'i_1', number: 12 }
  ]
  t.same(waiters.map(formatWaiter), ['b s_1 7', 'i i_1 12'])
  t.same(
    waiters.map(each => parseWaiter(formatWaiter(each))),
    waiters
  )
})
