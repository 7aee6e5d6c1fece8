import t from 'tap'
import { limiterKeyOf } from '../../src/auth/address.js'

t.test('counts an IPv6 address by its /64, an IPv4 address by itself', async t => {
  t.equal(limiterKeyOf('203.0.113.7'), '203.0.113.7')
  t.equal(limiterKeyOf('::ffff:203.0.113.7'), '203.0.113.7')
  t.equal(limiterKeyOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64')
  t.equal(limiterKeyOf('2001:0DB8:0001:0002::9'), '2001:db8:1:2::/64')
  t.equal(limiterKeyOf('2001:db8::1'), '2001:db8:0:0::/64')
  t.equal(limiterKeyOf('::1'), '0:0:0:0::/64')
  t.equal(limiterKeyOf('fe80::1%eth0'), 'fe80:0:0:0::/64')
})

t.test('returns text that does not parse as an address unchanged', async t => {
  t.equal(limiterKeyOf('attacker'), 'attacker')
  t.equal(limiterKeyOf(''), '')
})
