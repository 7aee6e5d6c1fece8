import t from 'tap'
import { createBodyBudget } from '../../src/http/body-budget.js'

const address = (key: string) => ({ key, isVerified: false })
const client = (key: string) => ({ key, isVerified: true })

t.test('one owner holds at most an eighth, and always one body', async t => {
  const budget = createBodyBudget(800)
  const first = budget.reserve(client('a'), 90)
  t.ok(first)
  t.equal(budget.reserve(client('a'), 11), undefined)
  t.ok(budget.reserve(client('b'), 200), 'one body may be larger than the share')
  t.equal(budget.reserve(client('b'), 1), undefined)
  first?.release()
  first?.release()
  t.equal(budget.reservedBytes, 200)
  t.ok(budget.reserve(client('a'), 100))
})

t.test('unverified requests hold at most half, so that they cannot keep out live sessions', async t => {
  const budget = createBodyBudget(800)
  for (let i = 0; i < 4; i++) t.ok(budget.reserve(address(`a${i}`), 100))
  t.equal(budget.reserve(address('b'), 1), undefined)
  for (let i = 0; i < 4; i++) t.ok(budget.reserve(client(`c${i}`), 100))
  t.equal(budget.reserve(client('d'), 1), undefined, 'the total')
  t.equal(budget.reservedBytes, budget.maxBytes)
})

t.test('a body grows within the same bounds', async t => {
  const budget = createBodyBudget(800)
  const body = budget.reserve(client('a'), 50)
  const other = budget.reserve(client('a'), 40)
  t.equal(body?.grow(11), false)
  t.equal(body?.grow(10), true)
  t.equal(budget.reservedBytes, 100)
  other?.release()
  t.equal(body?.grow(200), true, 'alone it may exceed the share')
  t.equal(body?.grow(1000), false)
  body?.release()
  t.equal(budget.reservedBytes, 0)
})
