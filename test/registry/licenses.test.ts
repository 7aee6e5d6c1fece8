import { openRegistry } from '../../src/registry/index.js'
import { maxHwidsBanned } from '../../src/registry/licenses.js'
import { masterKey, onEachStore, validate } from './each-store.js'

onEachStore((t, { clock, open }) => {
  t.test('evaluates every code in its order', async t => {
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
    t.equal(await validate(registry, undefined), 'NOT_YET_VALID', 'one millisecond early')
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
    t.equal(await validate(registry, 'one'), 'HWID_BANNED', 'a ban overrides a binding')
    await licenses.setBanned(licenseId, 'one', false, 'admin')
    t.equal(await validate(registry, 'one'), 'VALID')
    clock.advance(day - 1)
    t.equal(await validate(registry, 'one'), 'VALID', 'the last millisecond')
    clock.advance(1)
    t.equal(await validate(registry, 'one'), 'EXPIRED')
    await licenses.update(licenseId, { expiresAt: null }, 'admin')
    t.equal(await validate(registry, 'one'), 'VALID')
    await licenses.unbind(licenseId, 'two', 'admin')
    t.equal(await validate(registry, 'three'), 'VALID')
    await t.rejects(licenses.unbind(licenseId, 'two', 'admin'), { code: 'NOT_FOUND' })
    await licenses.unbindAll(licenseId, 'admin')
    t.same((await licenses.get(licenseId))?.hwids, [])
    await licenses.remove(licenseId, 'admin')
    t.equal(await validate(registry, 'one'), 'NOT_FOUND')
  })

  t.test('compares hwids byte for byte, without normalisation', async t => {
    const { registry } = await open(t)
    await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
    t.equal(await validate(registry, 'caf\u00e9'), 'VALID')
    for (const other of ['cafe\u0301', 'CAF\u00c9', 'caf', 'caf\u00e9 ', 'caf\u00e9\u0000', 'null']) {
      t.equal(await validate(registry, other), 'HWID_MISMATCH', JSON.stringify(other))
    }
  })

  t.test('stores no key, and refuses a duplicate within a service', async t => {
    const { registry, store } = await open(t)
    const { license } = await registry.licenses.create({ serviceId: 'svc', key: 'very-special-key' }, 'admin')
    await t.rejects(registry.licenses.create({ serviceId: 'svc', key: 'very-special-key' }, 'admin'), {
      code: 'CONFLICT'
    })
    await registry.licenses.create({ serviceId: 'svc2', key: 'very-special-key' }, 'admin')
    t.notMatch((await store.durable.get(`license:${license.licenseId}`))?.text, /very-special-key/)
    t.equal((await registry.licenses.list('', 10)).items.length, 2)
  })

  t.test('binds exactly one of eight racing hwids', async t => {
    const { registry, another } = await open(t)
    const second = await openRegistry(await another(), [masterKey], clock.now)
    await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
    const race = Array.from({ length: 8 }, (_, i) => validate(i % 2 === 0 ? registry : second, `hwid-${i}`))
    const codes = (await Promise.all(race)).sort()
    t.same(codes, [...Array(7).fill('HWID_MISMATCH'), 'VALID'])
  })

  t.test('binds no hwid without a free session slot', async t => {
    const { registry } = await open(t)
    const { license } = await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
    const { code } = await registry.licenses.validate({
      ...{ serviceId: 'svc', key: 'key', hwid: 'h', actor: 'client:c' },
      acquireSlot: async () => false
    })
    t.equal(code, 'TOO_MANY_SESSIONS')
    t.same((await registry.licenses.get(license.licenseId))?.hwids, [])
  })

  t.test('bounds bans', async t => {
    const { registry } = await open(t)
    const { license } = await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
    for (let i = 0; i < maxHwidsBanned; i++) await registry.licenses.setBanned(license.licenseId, `h${i}`, true, 'a')
    await t.rejects(registry.licenses.setBanned(license.licenseId, 'another', true, 'a'), { code: 'BAD_REQUEST' })
    await registry.licenses.setBanned(license.licenseId, 'h0', true, 'a')
  })
})
