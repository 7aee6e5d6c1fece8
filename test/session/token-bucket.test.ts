import t from 'tap'
import { TokenBucket } from '../../src/session/token-bucket.js'

t.test('a token bucket allows its rate and a burst', async t => {
  const bucket = new TokenBucket(10, 0)
  for (let i = 0; i < 20; i++) t.equal(bucket.consume(0), 0)
  t.equal(bucket.consume(0), 100)
  t.equal(bucket.consume(50), 50)
  t.equal(bucket.consume(100), 0)
  t.equal(bucket.consume(40), 100, 'a clock that goes back adds nothing')
  t.equal(bucket.consume(1e9), 0)
  for (let i = 0; i < 19; i++) t.equal(bucket.consume(1e9), 0)
  t.equal(bucket.consume(1e9), 100, 'never more than the burst')
  const off = new TokenBucket(0, 0)
  for (let i = 0; i < 1000; i++) off.consume(0)
  t.equal(off.consume(0), 0)
})
