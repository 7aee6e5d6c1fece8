import t from 'tap'
import { createHandshakeLimiter, networkOf } from '../../src/auth/handshake-limiter.js'
import { createEmbeddedRateLimits } from '../../src/store/embedded/ephemeral.js'
import { createClock } from '../helper/clock.js'
import { createTestDependencies } from '../helper/dependencies.js'

t.test('failures against a client under attack cost more, and only for the address that fails', async t => {
  const clock = createClock()
  const limiter = createHandshakeLimiter(createEmbeddedRateLimits(clock.now), 20, (await createTestDependencies(t)).log)
  const settle = () => new Promise(resolve => setImmediate(resolve))
  for (let i = 0; i < 100; i++) limiter.failed(`address ${i}`, 'victim')
  await settle()
  for (let i = 0; i < 4; i++) limiter.failed('attacker', 'victim')
  for (let i = 0; i < 4; i++) limiter.failed('clumsy', 'other')
  await settle()
  t.ok((await limiter.retryAfterMs('attacker')) > 0)
  t.equal(await limiter.retryAfterMs('clumsy'), 0)
  t.equal(await limiter.retryAfterMs('honest'), 0)
})

t.test('counts an IPv6 address by its /64, an IPv4 address by itself', async t => {
  t.equal(networkOf('203.0.113.7'), '203.0.113.7')
  t.equal(networkOf('::ffff:203.0.113.7'), '203.0.113.7')
  t.equal(networkOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64')
  t.equal(networkOf('2001:0DB8:0001:0002::9'), '2001:db8:1:2::/64')
  t.equal(networkOf('2001:db8::1'), '2001:db8:0:0::/64')
  t.equal(networkOf('::1'), '0:0:0:0::/64')
  t.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0::/64')
})
