import { maxKeptKeys, maxLiveKeys } from '../../src/registry/client-keys.js'
import { RegistryError } from '../../src/registry/records.js'
import { isWellFormedSecret } from '../../src/registry/secrets.js'
import { onEachStore } from './each-store.js'

onEachStore((t, { clock, open }) => {
  t.test('creates, shows without secrets, changes and removes a client', async t => {
    const { registry, store } = await open(t)
    const made = await registry.clients.create({ clientId: 'game', subscribe: ['a:*'] }, 'admin')
    t.equal(isWellFormedSecret(made.secret), true)
    await t.rejects(registry.clients.create({ clientId: 'game' }, 'admin'), { code: 'CONFLICT' })
    const client = await registry.clients.get('game')
    t.match(client, { clientId: 'game', status: 'active', subscribe: ['a:*'], publish: [], services: ['*'] })
    t.notMatch(JSON.stringify(client), /cs_sk_|sealed|v1\./)
    t.notMatch((await store.durable.get('client:game'))?.text, made.secret, 'the store has no plain secret')
    t.same(await registry.clients.list('', 10), { items: [client], unreadable: [] })
    await registry.clients.update('game', { status: 'suspended', services: ['x'] }, 'admin')
    t.match(await registry.clients.get('game'), { status: 'suspended', services: ['x'], subscribe: ['a:*'] })
    await registry.clients.remove('game', 'admin')
    t.equal(await registry.clients.get('game'), undefined)
    await t.rejects(registry.clients.remove('game', 'admin'), RegistryError)
    await t.rejects(registry.clients.update('game', { services: [] }, 'admin'), { code: 'NOT_FOUND' })
  })

  t.test('keys overlap, expire and are revoked', async t => {
    const { registry } = await open(t)
    const { clientId, keyId: first } = await registry.clients.create({}, 'admin')
    const usable = async () =>
      (await registry.credentials(clientId)).credentials.filter(each => each.usable).map(each => each.keyId)
    const second = await registry.clients.rotateKey(clientId, 60, false, 'admin')
    t.equal(second.previousExpiresAt, clock.now() + 60_000)
    t.same(await usable(), [second.keyId, first])
    await t.rejects(registry.clients.rotateKey(clientId, 60, false, 'admin'), { code: 'CONFLICT' })
    const third = await registry.clients.rotateKey(clientId, 600, true, 'admin')
    t.same(await usable(), [third.keyId, second.keyId, first])
    clock.advance(59_999)
    t.equal((await usable()).length, 3)
    clock.advance(1)
    t.same(await usable(), [third.keyId, second.keyId], 'force does not extend the first key')
    clock.advance(540_000)
    t.same(await usable(), [third.keyId])
    const fourth = await registry.clients.rotateKey(clientId, 0, false, 'admin')
    t.same(await usable(), [fourth.keyId], 'no overlap')
    await registry.clients.revoke(clientId, fourth.keyId, 'admin')
    t.same(await usable(), [])
    await t.rejects(registry.clients.revoke(clientId, 'other', 'admin'), { code: 'NOT_FOUND' })
    await t.rejects(registry.clients.revoke('nobody', first, 'admin'), { code: 'NOT_FOUND' })
  })

  t.test('bounds live and kept keys', async t => {
    const { registry } = await open(t)
    const { clientId } = await registry.clients.create({}, 'admin')
    for (let i = 0; i < 2 * maxKeptKeys; i++) await registry.clients.rotateKey(clientId, 3600, true, 'admin')
    const keys = (await registry.clients.get(clientId))?.keys ?? []
    t.equal(keys.length, maxKeptKeys)
    const live = keys.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > clock.now())
    t.equal(live.length, maxLiveKeys)
  })
})
