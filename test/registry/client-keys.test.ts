import t from 'tap'
import { isLive, maxLiveKeys, rotate, type SealedKey } from '../../src/registry/client-keys.js'

function key(keyId: string, more: Partial<SealedKey> = {}): SealedKey {
  return { keyId, sealed: 's', createdAt: 0, ...more }
}

t.test('a key is live until it expires or is revoked', async t => {
  t.equal(isLive(key('a'), 5), true)
  t.equal(isLive(key('a', { expiresAt: 6 }), 5), true)
  t.equal(isLive(key('a', { expiresAt: 5 }), 5), false)
  t.equal(isLive(key('a', { revokedAt: 9 }), 5), false)
})

t.test('rotation limits the previous keys and extends none', async t => {
  const keys = [key('old', { expiresAt: 3 }), key('short', { expiresAt: 7 }), key('long')]
  const rotated = rotate(keys, key('new'), 5, 10)
  t.same(rotated, [
    key('old', { expiresAt: 3 }),
    key('short', { expiresAt: 7 }),
    key('long', { expiresAt: 10 }),
    key('new')
  ])
})

t.test('rotation ends the oldest keys when too many would be live', async t => {
  const keys = Array.from({ length: maxLiveKeys }, (_, i) => key(`k${i}`))
  const rotated = rotate(keys, key('new'), 5, 10)
  t.equal(rotated[0]?.expiresAt, 5)
  t.equal(rotated.filter(each => isLive(each, 5)).length, maxLiveKeys)
})
