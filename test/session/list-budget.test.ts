import t from 'tap'
import { ListBudget, maxExchangeListBytes } from '../../src/session/list-budget.js'

t.test('a list gets the bytes left by other lists of its exchange, or is refused', async t => {
  const budget = new ListBudget(131_072)
  t.equal(budget.next(), 131_072)
  budget.spend(131_072)
  budget.spend(90_000)
  t.equal(budget.next(), maxExchangeListBytes - 221_072, 'less than a whole list')
  budget.spend(200)
  t.throws(() => budget.next(), { code: 'RATE_LIMITED', retryAfterMs: 100 })
})
