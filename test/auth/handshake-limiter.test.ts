import t from 'tap'
import { createHandshakeLimiter } from '../../src/auth/handshake-limiter.js'
import { createEmbeddedRateLimits } from '../../src/store/embedded/ephemeral.js'
import { createClock } from '../helper/clock.js'
import { createTestDependencies } from '../helper/dependencies.js'

t.test('failures against a client under attack cost more, and only for the address that fails', async t => {
  const clock = createClock()
  const limiter = createHandshakeLimiter(createEmbeddedRateLimits(clock.now), 20, (await createTestDependencies(t)).log)
  const settle = () => new Promise(resolve => setImmediate(resolve))
  for (let i = 0; i < 100; i++) limiter.recordFailure(`address ${i}`, 'victim')
  await settle()
  for (let i = 0; i < 4; i++) limiter.recordFailure('attacker', 'victim')
  for (let i = 0; i < 4; i++) limiter.recordFailure('clumsy', 'other')
  await settle()
  t.ok((await limiter.retryAfterMs('attacker')) > 0)
  t.equal(await limiter.retryAfterMs('clumsy'), 0)
  t.equal(await limiter.retryAfterMs('honest'), 0)
})
