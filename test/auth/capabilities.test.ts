import t from 'tap'
import { isAllowed } from '../../src/auth/capabilities.js'

t.test('matches patterns literally, with at most one final *', async t => {
  t.equal(isAllowed(['a', 'b*'], 'a'), true)
  t.equal(isAllowed(['a', 'b*'], 'ab'), false)
  t.equal(isAllowed(['a', 'b*'], 'b'), true)
  t.equal(isAllowed(['a', 'b*'], 'b.c'), true)
  t.equal(isAllowed(['*'], 'anything'), true)
  t.equal(isAllowed(['a.b'], 'axb'), false)
  t.equal(isAllowed([], 'a'), false)
})
