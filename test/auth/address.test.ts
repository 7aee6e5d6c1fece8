import t from 'tap'
import { limiterKeyOf, parseAddress, unparseableKey } from '../../src/auth/address.js'

t.test('counts an IPv6 address by its /64, an IPv4 address as a whole', async t => {
  t.equal(limiterKeyOf('203.0.113.7'), '203.0.113.7')
  t.equal(limiterKeyOf('::ffff:203.0.113.7'), '203.0.113.7')
  t.equal(limiterKeyOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64')
  t.equal(limiterKeyOf('2001:0DB8:0001:0002::9'), '2001:db8:1:2::/64')
  t.equal(limiterKeyOf('2001:db8::1'), '2001:db8:0:0::/64')
  t.equal(limiterKeyOf('::1'), '0:0:0:0::/64')
  t.equal(limiterKeyOf('fe80::1%eth0'), 'fe80:0:0:0::/64')
})

t.test('bug: an address with a port had a separate count', async t => {
  for (const text of ['198.51.100.7:4711', ' 198.51.100.7 ', '"198.51.100.7:4711"', '::ffff:198.51.100.7']) {
    t.equal(parseAddress(text), '198.51.100.7', text)
  }
  for (const text of [
    '[2001:db8::1]:4711',
    '[2001:db8::1]',
    '"[2001:DB8::1]:4711"',
    '2001:db8:0::1',
    '"2001:db8::1"'
  ]) {
    t.equal(parseAddress(text), '2001:db8::1', text)
  }
  t.equal(parseAddress('[fe80::1%eth0]:1'), 'fe80::1')
})

t.test('bug: each invalid address had its own count', async t => {
  for (const text of [
    'attacker',
    '',
    '1',
    '010.0.0.1',
    '198.51.100.7:',
    '198.51.100.7:123456',
    '[198',
    'a:1',
    '1.2.3.4.5'
  ]) {
    t.equal(parseAddress(text), undefined, text)
    t.equal(limiterKeyOf(text), unparseableKey, text)
  }
  t.equal(limiterKeyOf(undefined), unparseableKey)
})
