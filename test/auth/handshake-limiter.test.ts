import t, { type Test } from 'tap'
import { createHandshakeLimiter } from '../../src/auth/handshake-limiter.js'
import { createEmbeddedRateLimits } from '../../src/store/embedded/ephemeral.js'
import type { RateLimitStore } from '../../src/store/store.js'
import { createClock, type FakeClock } from '../helper/clock.js'
import { createTestDependencies } from '../helper/dependencies.js'

async function start(t: Test, clock: FakeClock, failedPerMinute: number) {
  const rates = { failedPerMinute, succeededPerMinute: 3 }
  return createHandshakeLimiter(
    createEmbeddedRateLimits(clock.now),
    rates,
    clock.now,
    (await createTestDependencies(t)).log
  )
}

const addressOf = (number: number) => `198.51.100.${number}`

t.test('failures against a client under attack cost more, and only for the address that fails', async t => {
  const clock = createClock()
  const limiter = await start(t, clock, 20)
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
  const limiter = await start(t, clock, 2)
  for (const address of ['2001:db8::1', '[2001:db8::2]:4711']) t.equal(await limiter.recordFailure(address), 0)
  t.ok((await limiter.recordFailure('2001:db8::3')) > 0, 'one /64')
  for (const address of ['garbage', 'other garbage']) t.equal(await limiter.recordFailure(address), 0)
  t.ok((await limiter.recordFailure('more garbage')) > 0, 'text that is no address never gets a count of its own')
})

t.test('counts successes apart from failures, by address', async t => {
  const clock = createClock()
  const limiter = await start(t, clock, 2)
  for (let i = 0; i < 3; i++) {
    t.equal(limiter.retryAfterMs('203.0.113.1'), 0)
    limiter.recordSuccess('203.0.113.1')
  }
  t.equal(limiter.retryAfterMs('203.0.113.1'), 60_000)
  t.equal(limiter.retryAfterMs('203.0.113.2'), 0)
  t.equal(await limiter.recordFailure('203.0.113.1'), 0)
  clock.advance(60_000)
  t.equal(limiter.retryAfterMs('203.0.113.1'), 0)
})

t.test('does not ask the store about an address that has to wait', async t => {
  const clock = createClock()
  const calls: string[] = []
  const limits: RateLimitStore = {
    async consume(name) {
      calls.push(name)
      return 1000
    }
  }
  const rates = { failedPerMinute: 1, succeededPerMinute: 1 }
  const limiter = createHandshakeLimiter(limits, rates, clock.now, (await createTestDependencies(t)).log)
  t.equal(limiter.isSlowed('203.0.113.1'), false)
  for (let i = 0; i < 5; i++) t.equal(await limiter.recordFailure('203.0.113.1', 'client'), 1000)
  t.equal(limiter.isSlowed('203.0.113.1'), true)
  t.equal(calls.length, 1)
  clock.advance(1000)
  t.equal(limiter.isSlowed('203.0.113.1'), false)
  await limiter.recordFailure('203.0.113.1')
  t.equal(calls.length, 2)
})
