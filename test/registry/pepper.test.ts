import { randomBytes } from 'node:crypto'
import { openRegistry, WrongMasterKey } from '../../src/registry/index.js'
import { masterKey, onEachStore, validate } from './each-store.js'

const newKey = randomBytes(32)

onEachStore((t, { clock, open, openStore }) => {
  t.test('opens only under its master key, and survives key rotation', async t => {
    const { store, registry } = await open(t)
    const { clientId, keyId, secret } = await registry.clients.create({}, 'admin')
    await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
    await t.rejects(openRegistry(store, [newKey], clock.now), WrongMasterKey)
    const rotated = await openRegistry(store, [newKey, masterKey], clock.now)
    const { credentials } = await rotated.credentials(clientId, keyId)
    t.match(credentials, [{ secret, usable: true }])
    t.equal(await validate(rotated, 'h'), 'VALID', 'hashes do not change')
  })

  t.test('instances that start together agree on one pepper', async t => {
    const { store, another } = await openStore(t)
    const second = await another()
    const [a, b] = await Promise.all([
      openRegistry(store, [masterKey], clock.now),
      openRegistry(second, [masterKey], clock.now)
    ])
    await a.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
    t.equal(await validate(b, 'h'), 'VALID')
    t.match(await b.audit.verify(), { brokenAt: undefined })
  })

  t.test('bug: an instance that started beside another called the new store damaged', async t => {
    const { store, another } = await openStore(t)
    const second = await another()
    let reads = 0
    const durable = Object.assign(Object.create(store.durable), {
      async get(key: Parameters<typeof store.durable.get>[0]) {
        const found = await store.durable.get(key)
        // The other instance commits after this one has found neither an identity nor a pepper.
        if (++reads === 2) await openRegistry(second, [masterKey], clock.now)
        return found
      }
    })
    const slow = await openRegistry(Object.assign(Object.create(store), { durable }), [masterKey], clock.now)
    await slow.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
    t.equal(await validate(await openRegistry(second, [masterKey], clock.now), 'h'), 'VALID')
  })
})
