import { randomBytes } from 'node:crypto'
import t from 'tap'
import { CannotUnseal, createKeyring } from '../../src/registry/keyring.js'

const oldKey = randomBytes(32)
const newKey = randomBytes(32)

t.test('seals under the first key and unseals under every key', async t => {
  const keyring = createKeyring([newKey, oldKey])
  const sealed = keyring.seal('a secret', 'client:a:k1')
  t.equal(keyring.unseal(sealed, 'client:a:k1'), 'a secret')
  t.not(keyring.seal('a secret', 'client:a:k1'), sealed, 'every write has its own nonce')
  t.notMatch(sealed, /secret/)
  t.throws(() => keyring.unseal(sealed, 'client:b:k1'), CannotUnseal, 'copied to another client')
  t.throws(() => keyring.unseal(sealed, 'client:a:k2'), CannotUnseal, 'copied to another key')
  for (const at of [4, 14, 30, sealed.length - 1]) {
    const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1)
    t.throws(() => keyring.unseal(changed, 'client:a:k1'), CannotUnseal, `changed at ${at}`)
  }
  for (const text of ['', 'v1', 'v1..', 'v2.x.y', `${sealed}.x`])
    t.throws(() => keyring.unseal(text, 'p'), CannotUnseal)
  const old = createKeyring([oldKey])
  t.equal(keyring.unseal(old.seal('x', 'p'), 'p'), 'x', 'an old key still unseals')
  t.equal(keyring.isStale(old.seal('x', 'p')), true)
  t.equal(keyring.isStale(sealed), false)
  t.throws(() => old.unseal(sealed, 'client:a:k1'), CannotUnseal, 'sealed under an unknown key')
})
