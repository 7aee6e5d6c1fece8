import t from 'tap'
import { createLicenseKey, createSecret, isWellFormedSecret } from '../../src/registry/secrets.js'

t.test('secrets have a checksum, license keys five groups', async t => {
  const secret = createSecret('sk')
  t.match(secret, /^cs_sk_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$/)
  t.ok(secret.length <= 64)
  t.equal(isWellFormedSecret(secret), true)
  t.equal(isWellFormedSecret(secret.slice(0, -1)), false)
  t.equal(isWellFormedSecret(secret.replace('cs_sk_', 'cs_tk_')), false)
  const at = 10
  t.equal(isWellFormedSecret(secret.slice(0, at) + (secret[at] === 'a' ? 'b' : 'a') + secret.slice(at + 1)), false)
  t.match(createLicenseKey(), /^([0-9A-HJKMNP-TV-Z]{5}-){4}[0-9A-HJKMNP-TV-Z]{5}$/)
})
