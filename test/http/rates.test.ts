import t from 'tap'
import { createAddressLimiter, maxUnverifiedAddresses } from '../../src/auth/address-limiter.js'
import { monitoringPerMinute, requestsPerMinute } from '../../src/http/rate-limit.js'
import { createEmbeddedRateLimits, maxRateLimitNames } from '../../src/store/embedded/ephemeral.js'
import { createClock } from '../helper/clock.js'
import { startGateway } from '../helper/gateway.js'

/** Rates of one address (docs/operating.md, Limits). */

t.test('bug: requests to paths that do not exist, to health and to metrics were not limited', async t => {
  const { app } = await startGateway(t, { config: { rateLimit: true } })
  const statuses = async (url: string, times: number) => {
    let last = 0
    for (let i = 0; i < times; i++) last = (await app.server.inject(url)).statusCode
    return [last, (await app.server.inject(url)).statusCode]
  }
  t.same(await statuses('/nothing', requestsPerMinute), [404, 429])
  for (const path of ['/livez', '/readyz', '/metrics']) {
    t.same(await statuses(path, monitoringPerMinute), [200, 429], `${path} has a count of its own`)
  }
  const { message } = (await app.server.inject('/nothing')).json()
  t.match(message, /more than 3,000 requests .* the limit is 3,000 \(COUNTERSIGN_RATE_LIMIT\)/)
})

t.test('bug: a monitor was refused because others behind its address asked for the same path', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true } })
  for (const path of ['/livez', '/readyz', '/metrics']) {
    for (let i = 0; i <= monitoringPerMinute; i++) await gateway.app.server.inject(path)
    t.equal((await gateway.app.server.inject(path)).statusCode, 429)
    t.equal((await fetch(gateway.url + path)).status, 200, path)
  }
})

t.test('bug: metrics were rendered for every request', async t => {
  const gateway = await startGateway(t)
  const metrics = async () => (await fetch(`${gateway.url}/metrics`)).text()
  const first = await metrics()
  const wire = await gateway.session(await gateway.createClient())
  t.ok(wire)
  gateway.clock.advance(999)
  t.equal(await metrics(), first)
  gateway.clock.advance(1)
  t.match(await metrics(), /^countersign_sessions 1$/m)
  gateway.clock.advance(-3_600_000)
  t.not(await metrics(), first, 'a clock that was set back keeps no old result')
})

t.test('bug: past 100,000 addresses all counts of unverified requests restarted', async t => {
  const clock = createClock()
  const limiter = createAddressLimiter(clock.now, 1)
  const addressOf = (i: number) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`
  limiter.count('198.51.100.1:4711')
  for (let i = 0; i < maxUnverifiedAddresses - 1; i++) limiter.count(addressOf(i))
  t.equal(limiter.retryAfterMs('198.51.100.1'), 60_000)
  t.equal(limiter.retryAfterMs(addressOf(0)), 60_000)
  limiter.count('198.51.100.1:1')
  for (let i = 0; i < 1000; i++) limiter.count(`203.0.${i >> 8}.${i & 255}`)
  t.equal(limiter.retryAfterMs(addressOf(0)), 0, 'the address seen longest ago is evicted')
  t.equal(limiter.retryAfterMs(addressOf(5000)), 60_000, 'the others are still counted')
  t.equal(limiter.retryAfterMs('198.51.100.1'), 60_000)
  for (const address of ['2001:db8::1', '2001:db8::2']) limiter.count(address)
  t.equal(limiter.retryAfterMs('2001:db8::3'), 60_000, 'by /64, as in every limit')
  clock.advance(60_000)
  t.equal(limiter.retryAfterMs('198.51.100.1'), 0)
})

t.test('the table of rates evicts the name that was counted longest ago', async t => {
  const limits = createEmbeddedRateLimits(createClock().now)
  await limits.consume('first', 1, 1)
  await limits.consume('second', 2, 2)
  for (let i = 0; i < maxRateLimitNames - 1; i++) await limits.consume(`n${i}`, 1, 1)
  t.equal(await limits.consume('first', 0, 1), 0, 'evicted')
  t.ok((await limits.consume('second', 0, 2)) > 0, 'still counted')
})
