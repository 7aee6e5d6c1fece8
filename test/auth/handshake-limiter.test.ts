import t from 'tap'
import { createHandshakeLimiter } from '../../src/auth/handshake-limiter.js'
import { createEmbeddedRateLimits } from '../../src/store/embedded/ephemeral.js'
import { createClock } from '../helper/clock.js'
import { createTestDependencies } from '../helper/dependencies.js'

const addressOf = (number: number) => `198.51.100.${number}`

t.test('failures against a client under attack cost more, and only for the address that fails', async t => {
  const clock = createClock()
  const limiter = createHandshakeLimiter(createEmbeddedRateLimits(clock.now), 20, (await createTestDependencies(t)).log)
  const settle = () => new Promise(resolve => setImmediate(resolve))
  for (let i = 0; i < 100; i++) t.equal(await limiter.recordFailure(addressOf(i), 'victim'), 0)
  await settle()
  for (let i = 0; i < 4; i++) t.equal(await limiter.recordFailure('203.0.113.1', 'victim'), 0)
  for (let i = 0; i < 4; i++) t.equal(await limiter.recordFailure('203.0.113.2', 'other'), 0)
  await settle()
  t.ok((await limiter.recordFailure('203.0.113.1', 'victim')) > 0)
  t.equal(await limiter.recordFailure('203.0.113.2', 'other'), 0)
  t.equal(await limiter.recordFailure('203.0.113.3', 'victim'), 0)
})

t.test('bug: an address was counted twice, once by its text and once by its network', async t => {
  const clock = createClock()
  const limiter = createHandshakeLimiter(createEmbeddedRateLimits(clock.now), 2, (await createTestDependencies(t)).log)
  for (const address of ['2001:db8::1', '[2001:db8::2]:4711']) t.equal(await limiter.recordFailure(address), 0)
  t.ok((await limiter.recordFailure('2001:db8::3')) > 0, 'one /64')
  for (const address of ['garbage', 'other garbage']) t.equal(await limiter.recordFailure(address), 0)
  t.ok((await limiter.recordFailure('more garbage')) > 0, 'text that is no address never gets a count of its own')
})
