import { randomBytes } from 'node:crypto'
import t from 'tap'
import { CannotUnseal } from '../../src/registry/aead.js'
import { createKeyring } from '../../src/registry/keyring.js'
import { sealV1 } from './earlier-version.js'

const oldKey = randomBytes(32)
const newKey = randomBytes(32)

t.test('seals under the first key and unseals under every key', async t => {
  const keyring = createKeyring([newKey, oldKey])
  const sealed = keyring.seal('client key', 'a secret', 'client:a:k1')
  t.equal(keyring.unseal('client key', sealed, 'client:a:k1'), 'a secret')
  t.not(keyring.seal('client key', 'a secret', 'client:a:k1'), sealed, 'every write has its own nonce')
  t.notMatch(sealed, /secret/)
  t.throws(() => keyring.unseal('client key', sealed, 'client:b:k1'), CannotUnseal, 'copied to another client')
  t.throws(() => keyring.unseal('client key', sealed, 'client:a:k2'), CannotUnseal, 'copied to another key')
  for (const at of [0, 4, 14, 30, sealed.length - 2]) {
    const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1)
    t.throws(() => keyring.unseal('client key', changed, 'client:a:k1'), CannotUnseal, `changed at ${at}`)
  }
  for (const text of ['', 'v1', 'v1..', 'v2.x.y', `${sealed}.x`, 'v2', `${sealed.slice(0, 11)}.`])
    t.throws(() => keyring.unseal('client key', text, 'p'), CannotUnseal)
  const old = createKeyring([oldKey])
  t.equal(keyring.unseal('record', old.seal('record', 'x', 'p'), 'p'), 'x', 'an old key still unseals')
  t.equal(keyring.isStale(old.seal('record', 'x', 'p')), true)
  t.equal(keyring.isStale(sealed), false)
  t.throws(() => old.unseal('client key', sealed, 'client:a:k1'), CannotUnseal, 'sealed under an unknown key')
})

t.test('a text of one purpose does not open as that of another: each has its own key', async t => {
  const keyring = createKeyring([newKey])
  const purposes = ['client key', 'ticket', 'session', 'record', 'pepper'] as const
  for (const purpose of purposes) {
    const sealed = keyring.seal(purpose, 'x', 'same context')
    for (const other of purposes.filter(each => each !== purpose)) {
      t.throws(() => keyring.unseal(other, sealed, 'same context'), CannotUnseal, `${purpose} as ${other}`)
    }
  }
})

t.test('opens the texts of earlier versions where durable data has them, and counts them as stale', async t => {
  const keyring = createKeyring([newKey, oldKey])
  for (const masterKey of [oldKey, newKey]) {
    const sealed = sealV1(masterKey, 'a secret', 'client:a:k1')
    t.equal(keyring.unseal('client key', sealed, 'client:a:k1'), 'a secret')
    t.equal(keyring.isStale(sealed), true)
    for (const purpose of ['ticket', 'session', 'record'] as const)
      t.throws(() => keyring.unseal(purpose, sealed, 'client:a:k1'), CannotUnseal, purpose)
  }
})

t.test('hashes challenges and session ids under every master key, the current one first', async t => {
  const keyring = createKeyring([newKey, oldKey])
  const old = createKeyring([oldKey])
  const [current, earlier] = keyring.hashHandshake('text')
  t.same([earlier], old.hashHandshake('text'))
  t.notSame(current, earlier)
  t.equal(current?.length, 32)
  t.notSame(keyring.hashHandshake('other text'), keyring.hashHandshake('text'))
})
