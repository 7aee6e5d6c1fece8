import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { RegistryError } from '../../src/registry/changes.js'
import { maxKeptKeys, maxLiveKeys } from '../../src/registry/clients.js'
import { openRegistry, type Registry, WrongMasterKey } from '../../src/registry/index.js'
import { CannotUnseal, createKeyring } from '../../src/registry/keyring.js'
import { maxHwidsBanned } from '../../src/registry/licenses.js'
import { createLicenseKey, createSecret, isWholeSecret } from '../../src/registry/secrets.js'
import { createClock } from '../helper/clock.js'
import { stores } from '../helper/stores.js'

const seated = async () => true
const oldKey = randomBytes(32)
const newKey = randomBytes(32)

t.test('key ring', async t => {
  const ring = createKeyring([newKey, oldKey])
  const sealed = ring.seal('a secret', 'client:a:k1')
  t.equal(ring.unseal(sealed, 'client:a:k1'), 'a secret')
  t.not(ring.seal('a secret', 'client:a:k1'), sealed, 'a nonce for every write')
  t.notMatch(sealed, /secret/)
  t.throws(() => ring.unseal(sealed, 'client:b:k1'), CannotUnseal, 'moved to another client')
  t.throws(() => ring.unseal(sealed, 'client:a:k2'), CannotUnseal, 'moved to another key')
  for (const at of [4, 14, 30, sealed.length - 1]) {
    const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1)
    t.throws(() => ring.unseal(changed, 'client:a:k1'), CannotUnseal, `changed at ${at}`)
  }
  for (const text of ['', 'v1', 'v1..', 'v2.x.y', `${sealed}.x`]) t.throws(() => ring.unseal(text, 'p'), CannotUnseal)
  const old = createKeyring([oldKey])
  t.equal(ring.unseal(old.seal('x', 'p'), 'p'), 'x', 'all decrypt')
  t.equal(ring.isStale(old.seal('x', 'p')), true)
  t.equal(ring.isStale(sealed), false)
  t.throws(() => old.unseal(sealed, 'client:a:k1'), CannotUnseal, 'not on this ring')
})

t.test('secrets', async t => {
  const secret = createSecret('sk')
  t.match(secret, /^cs_sk_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$/)
  t.ok(secret.length <= 64)
  t.equal(isWholeSecret(secret), true)
  t.equal(isWholeSecret(secret.slice(0, -1)), false)
  t.equal(isWholeSecret(secret.replace('cs_sk_', 'cs_tk_')), false)
  const at = 10
  t.equal(isWholeSecret(secret.slice(0, at) + (secret[at] === 'a' ? 'b' : 'a') + secret.slice(at + 1)), false)
  t.match(createLicenseKey(), /^([0-9A-HJKMNP-TV-Z]{5}-){4}[0-9A-HJKMNP-TV-Z]{5}$/)
})

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(kind, async t => {
    const clock = createClock()
    const open = async (t: Test) => {
      const under = await openStore(t, clock.now)
      return { ...under, registry: await openRegistry(under.store, [oldKey], clock.now) }
    }
    const validate = async (registry: Registry, hwid: string | undefined, key = 'key', serviceId = 'svc') =>
      (await registry.licenses.validate(serviceId, key, hwid, seated, 'client:c')).code

    t.test('a store belongs to its master key, and outlives its rotation', async t => {
      const { store, registry } = await open(t)
      const { clientId, keyId, secret } = await registry.clients.create({}, 'admin')
      await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
      await t.rejects(openRegistry(store, [newKey], clock.now), WrongMasterKey)
      const rotated = await openRegistry(store, [newKey, oldKey], clock.now)
      const { credentials } = await rotated.clients.credentials(clientId, keyId)
      t.match(credentials, [{ secret, usable: true }])
      t.equal(await validate(rotated, 'h'), 'VALID', 'hashes are what they were')
    })

    t.test('instances that start together agree on one pepper', async t => {
      const { store, another } = await openStore(t, clock.now)
      const second = await another()
      const [a, b] = await Promise.all([
        openRegistry(store, [oldKey], clock.now),
        openRegistry(second, [oldKey], clock.now)
      ])
      await a.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
      t.equal(await validate(b, 'h'), 'VALID')
      t.match(await b.audit.verify(), { brokenAt: undefined })
    })

    t.test('clients: made once, shown without secrets', async t => {
      const { registry, store } = await open(t)
      const made = await registry.clients.create({ clientId: 'game', subscribe: ['a:*'] }, 'admin')
      t.equal(isWholeSecret(made.secret), true)
      await t.rejects(registry.clients.create({ clientId: 'game' }, 'admin'), { code: 'CONFLICT' })
      const client = await registry.clients.get('game')
      t.match(client, { clientId: 'game', status: 'active', subscribe: ['a:*'], publish: [], services: ['*'] })
      t.notMatch(JSON.stringify(client), /cs_sk_|sealed|v1\./)
      t.notMatch((await store.durable.get('client:game'))?.text, made.secret, 'nor in the store')
      t.same(await registry.clients.list('', 10), [client])
      await registry.clients.update('game', { status: 'suspended', services: ['x'] }, 'admin')
      t.match(await registry.clients.get('game'), { status: 'suspended', services: ['x'], subscribe: ['a:*'] })
      await registry.clients.remove('game', 'admin')
      t.equal(await registry.clients.get('game'), undefined)
      await t.rejects(registry.clients.remove('game', 'admin'), RegistryError)
      await t.rejects(registry.clients.update('game', { services: [] }, 'admin'), { code: 'NOT_FOUND' })
    })

    t.test('credentials: as many as are tried, usable or not', async t => {
      const { registry } = await open(t)
      const { clientId, keyId } = await registry.clients.create({}, 'admin')
      const usable = async (client: string, key?: string) =>
        (await registry.clients.credentials(client, key)).credentials.map(credential => credential.usable)
      t.same(await usable(clientId, keyId), [true])
      t.same(await usable(clientId, 'other'), [false])
      t.same(await usable('nobody', keyId), [false])
      t.same(await usable(clientId), [true, false, false, false])
      t.same(await usable('nobody'), [false, false, false, false])
      await registry.clients.update(clientId, { status: 'suspended' }, 'admin')
      t.same(await usable(clientId, keyId), [false])
    })

    t.test('keys: overlap, end, revocation', async t => {
      const { registry } = await open(t)
      const { clientId, keyId: first } = await registry.clients.create({}, 'admin')
      const usable = async () =>
        (await registry.clients.credentials(clientId)).credentials.filter(each => each.usable).map(each => each.keyId)
      const second = await registry.clients.rotateKey(clientId, 60, false, 'admin')
      t.equal(second.previousExpiresAt, clock.now() + 60_000)
      t.same(await usable(), [second.keyId, first])
      await t.rejects(registry.clients.rotateKey(clientId, 60, false, 'admin'), { code: 'CONFLICT' })
      const third = await registry.clients.rotateKey(clientId, 600, true, 'admin')
      t.same(await usable(), [third.keyId, second.keyId, first])
      clock.advance(59_999)
      t.equal((await usable()).length, 3)
      clock.advance(1)
      t.same(await usable(), [third.keyId, second.keyId], 'force did not prolong the first')
      clock.advance(540_000)
      t.same(await usable(), [third.keyId])
      const fourth = await registry.clients.rotateKey(clientId, 0, false, 'admin')
      t.same(await usable(), [fourth.keyId], 'no overlap')
      await registry.clients.revoke(clientId, fourth.keyId, 'admin')
      t.same(await usable(), [])
      await t.rejects(registry.clients.revoke(clientId, 'other', 'admin'), { code: 'NOT_FOUND' })
      await t.rejects(registry.clients.revoke('nobody', first, 'admin'), { code: 'NOT_FOUND' })
    })

    t.test('keys: a client never has more than it can use, nor keeps them for ever', async t => {
      const { registry } = await open(t)
      const { clientId } = await registry.clients.create({}, 'admin')
      for (let i = 0; i < 2 * maxKeptKeys; i++) await registry.clients.rotateKey(clientId, 3600, true, 'admin')
      const keys = (await registry.clients.get(clientId))?.keys ?? []
      t.equal(keys.length, maxKeptKeys)
      const live = keys.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > clock.now())
      t.equal(live.length, maxLiveKeys)
    })

    t.test('licenses: every code, in its order', async t => {
      const { registry } = await open(t)
      const { licenses } = registry
      const day = 24 * 60 * 60 * 1000
      const { license } = await licenses.create(
        { serviceId: 'svc', key: 'key', startsAt: clock.now() + day, expiresAt: clock.now() + 2 * day },
        'admin'
      )
      const { licenseId } = license
      await licenses.setBanned(licenseId, 'banned', true, 'admin')
      await licenses.update(licenseId, { status: 'revoked' }, 'admin')
      t.equal(await validate(registry, undefined, 'other'), 'NOT_FOUND')
      t.equal(await validate(registry, undefined, 'key', 'other'), 'NOT_FOUND')
      t.equal(await validate(registry, undefined), 'REVOKED')
      await licenses.update(licenseId, { status: 'suspended' }, 'admin')
      t.equal(await validate(registry, undefined), 'SUSPENDED')
      await licenses.update(licenseId, { status: 'active' }, 'admin')
      t.equal(await validate(registry, undefined), 'NOT_YET_VALID')
      clock.advance(day - 1)
      t.equal(await validate(registry, undefined), 'NOT_YET_VALID', 'a millisecond before')
      clock.advance(1)
      t.equal(await validate(registry, undefined), 'HWID_REQUIRED')
      t.equal(await validate(registry, 'banned'), 'HWID_BANNED')
      t.equal(await validate(registry, 'one'), 'VALID')
      t.equal(await validate(registry, 'one'), 'VALID')
      t.equal(await validate(registry, 'two'), 'HWID_MISMATCH')
      await licenses.update(licenseId, { maxHwids: 2 }, 'admin')
      t.equal(await validate(registry, 'two'), 'VALID')
      t.equal(await validate(registry, 'three'), 'TOO_MANY_HWIDS')
      await licenses.setBanned(licenseId, 'one', true, 'admin')
      t.equal(await validate(registry, 'one'), 'HWID_BANNED', 'also where it is bound')
      await licenses.setBanned(licenseId, 'one', false, 'admin')
      t.equal(await validate(registry, 'one'), 'VALID')
      clock.advance(day - 1)
      t.equal(await validate(registry, 'one'), 'VALID', 'the last millisecond')
      clock.advance(1)
      t.equal(await validate(registry, 'one'), 'EXPIRED')
      await licenses.update(licenseId, { expiresAt: null }, 'admin')
      t.equal(await validate(registry, 'one'), 'VALID')
      await licenses.resetHwids(licenseId, 'two', 'admin')
      t.equal(await validate(registry, 'three'), 'VALID')
      await t.rejects(licenses.resetHwids(licenseId, 'two', 'admin'), { code: 'NOT_FOUND' })
      await licenses.resetHwids(licenseId, undefined, 'admin')
      t.same((await licenses.get(licenseId))?.hwids, [])
      await licenses.remove(licenseId, 'admin')
      t.equal(await validate(registry, 'one'), 'NOT_FOUND')
    })

    t.test('licenses: hwids are equal byte for byte, never normalised', async t => {
      const { registry } = await open(t)
      await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
      t.equal(await validate(registry, 'caf\u00e9'), 'VALID')
      for (const other of ['cafe\u0301', 'CAF\u00c9', 'caf', 'caf\u00e9 ', 'caf\u00e9\u0000', 'null']) {
        t.equal(await validate(registry, other), 'HWID_MISMATCH', JSON.stringify(other))
      }
    })

    t.test('licenses: keys are stored nowhere, and exist once for each service', async t => {
      const { registry, store } = await open(t)
      const { license } = await registry.licenses.create({ serviceId: 'svc', key: 'very-special-key' }, 'admin')
      await t.rejects(registry.licenses.create({ serviceId: 'svc', key: 'very-special-key' }, 'admin'), {
        code: 'CONFLICT'
      })
      await registry.licenses.create({ serviceId: 'svc2', key: 'very-special-key' }, 'admin')
      t.notMatch((await store.durable.get(`license:${license.licenseId}`))?.text, /very-special-key/)
      t.equal((await registry.licenses.list('', 10)).length, 2)
    })

    t.test('licenses: eight hwids race for one seat, exactly one wins', async t => {
      const { registry, another } = await open(t)
      const second = await openRegistry(await another(), [oldKey], clock.now)
      await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
      const race = Array.from({ length: 8 }, (_, i) => validate(i % 2 === 0 ? registry : second, `hwid-${i}`))
      const codes = (await Promise.all(race)).sort()
      t.same(codes, [...Array(7).fill('HWID_MISMATCH'), 'VALID'])
    })

    t.test('licenses: no seat, no binding', async t => {
      const { registry } = await open(t)
      const { license } = await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
      const { code } = await registry.licenses.validate('svc', 'key', 'h', async () => false, 'client:c')
      t.equal(code, 'TOO_MANY_SESSIONS')
      t.same((await registry.licenses.get(license.licenseId))?.hwids, [])
    })

    t.test('licenses: bans are bounded', async t => {
      const { registry } = await open(t)
      const { license } = await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
      for (let i = 0; i < maxHwidsBanned; i++) await registry.licenses.setBanned(license.licenseId, `h${i}`, true, 'a')
      await t.rejects(registry.licenses.setBanned(license.licenseId, 'one more', true, 'a'), { code: 'BAD_REQUEST' })
      await registry.licenses.setBanned(license.licenseId, 'h0', true, 'a')
    })

    t.test('audit: each change has its entry, and a forged log is found out', async t => {
      const { registry, store } = await open(t)
      const { clientId } = await registry.clients.create({ clientId: 'game' }, 'admin')
      await registry.clients.rotateKey(clientId, 0, false, 'token:t1')
      await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
      await validate(registry, 'h')
      await validate(registry, 'h')
      const entries = await registry.audit.list(0, 100)
      t.same(
        entries.map(({ actor, action }) => `${actor} ${action}`),
        [
          'system store.create',
          'admin client.create',
          'token:t1 key.rotate',
          'admin license.create',
          'client:c license.bind'
        ],
        'a validate that changes nothing leaves no entry'
      )
      t.notMatch(JSON.stringify(entries), /cs_sk_|"key"/)
      t.same(await registry.audit.verify(), { entries: 5 })
      const head = await store.durable.auditHead()
      const forged = { ...entries[4], seq: 6, previous: head.hash, action: 'nothing' }
      await store.durable.commit({
        writes: [],
        audit: () => ({ hash: 'f'.repeat(64), text: JSON.stringify({ ...forged, hash: 'f'.repeat(64) }) })
      })
      t.same(await registry.audit.verify(), { entries: 5, brokenAt: 6 })
    })
  })
}
