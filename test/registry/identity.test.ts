import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { openRegistry, UnusableStore } from '../../src/registry/index.js'
import { openRedisStore } from '../../src/store/redis/index.js'
import { StoreUnavailable } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import { redisUrl } from '../helper/stores.js'
import { makeBackup, restore } from './backups.js'
import { masterKey, validate } from './each-store.js'

/** A Redis that loses what it held, under a running instance. Each test has keys of its own. */

interface Emptied {
  readonly prefix: string
  readonly redis: Redis
  readonly lines: object[]
  /** Removes all keys, or those whose names match. */
  remove(pattern?: string): Promise<void>
  /** Reads all keys, and puts them back. */
  keep(): Promise<() => Promise<void>>
}

async function openInstance(t: Test, prefix: string, lines: object[] = []) {
  const { now } = createClock()
  const store = await openRedisStore(redisUrl(), { prefix })
  t.teardown(() => store.close())
  const log = { warn: (fields: object, message: string) => void lines.push({ ...fields, message }) }
  return { store, registry: await openRegistry(store, [masterKey], now, log) }
}

async function start(t: Test) {
  const prefix = `emptied-${randomBytes(6).toString('hex')}`
  const redis = new Redis(redisUrl())
  t.teardown(() => redis.disconnect())
  const lines: object[] = []
  const names = (pattern = '*') => redis.keys(`${prefix}:${pattern}`)
  const tools: Emptied = {
    ...{ prefix, redis, lines },
    async remove(pattern) {
      const found = await names(pattern)
      if (found.length > 0) await redis.del(...found)
    },
    async keep() {
      const kept = await Promise.all((await names()).map(async name => ({ name, dump: await redis.dumpBuffer(name) })))
      return async () => {
        for (const { name, dump } of kept) await redis.restore(name, 0, dump as Buffer, 'REPLACE')
      }
    }
  }
  return { ...tools, ...(await openInstance(t, prefix, lines)) }
}

const unavailable = { name: 'StoreUnavailable' }
/** Not merely unavailable. */
const replaced = {
  name: 'StoreUnavailable',
  outcome: 'unsent',
  cause: { message: /^(the store has no identity|another store|the store has schema)/ }
}
const lost = { name: 'StoreUnavailable', cause: { message: /has lost the record/ } }

t.test('bug: an emptied Redis was accepted', async t => {
  const { registry, store, remove, keep, lines } = await start(t)
  const { keyId, secret } = await registry.clients.create({ clientId: 'game' }, 'admin')
  await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
  const putBack = await keep()
  await remove()
  // Before anything has looked at the identity.
  await t.rejects(registry.credentials('game', keyId), replaced, 'no handshake fails for lack of a client')
  await t.rejects(validate(registry, 'pc'), unavailable, 'no license is NOT_FOUND')
  await t.rejects(registry.clients.create({ clientId: 'new' }, 'admin'), unavailable, 'nothing is written')
  await t.rejects(registry.clients.list('', 10), unavailable)
  await t.rejects(store.sessions.list('', 10), unavailable)
  await t.rejects(store.bridge.info('s'), unavailable)
  await t.rejects(store.channels.read('c', undefined, 10), unavailable)
  t.match(registry.identity.problem, { kind: 'missing' })
  t.match(lines, [{ message: /restore.*init-store/ }])
  await registry.tick()
  t.equal(lines.length, 1)
  await putBack()
  await registry.tick()
  t.equal(registry.identity.problem, undefined)
  t.match(lines[1], { message: /is back/ })
  t.match((await registry.credentials('game', keyId)).credentials, [{ secret, usable: true }])
  t.equal(await validate(registry, 'pc'), 'VALID')
})

t.test(
  'bug: an instance that was started on the emptied store did not go on after another one had restored',
  async t => {
    const { registry, remove, prefix } = await start(t)
    await registry.clients.create({ clientId: 'game' }, 'admin')
    const backup = await makeBackup(registry)
    await remove()
    const { registry: late } = await openInstance(t, prefix)
    await registry.tick()
    t.match(registry.identity.problem, { kind: 'foreign' })
    await restore(registry, backup)
    await late.tick()
    t.equal(late.identity.problem, undefined)
    t.match(await late.clients.list('', 10), { items: [{ clientId: 'game' }] })
    t.equal(registry.identity.problem, undefined)
  }
)

t.test('a store that is replaced without a master key names no other one', async t => {
  const { registry, remove, prefix, redis } = await start(t)
  await registry.clients.create({ clientId: 'game' }, 'admin')
  const backup = await makeBackup(registry)
  const { registry: other } = await start(t)
  const { id } = other.identity.identity
  await remove()
  await redis.set(`${prefix}:{records}:meta:identity`, `1\n${id}.2.v2.0.x`)
  await restore(registry, backup)
  t.same(registry.identity.identity.replaces, [])
})

t.test('each call notices by itself that the store was emptied', async t => {
  const { registry, store, remove, keep } = await start(t)
  const putBack = await keep()
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    get: () => store.durable.get('client:x'),
    list: () => store.durable.list('client', '', 10),
    commit: () => store.durable.commit({ writes: [], audit: () => ({ hash: 'h', text: '{}' }) }),
    auditHead: () => store.durable.auditHead(),
    auditAfter: () => store.durable.auditAfter(0, 10),
    changesAfter: () => store.durable.changesAfter(0, 10),
    challenge: () => store.challenges.use('x', 'fence', 1000),
    session: () => store.sessions.get('x'),
    'end of a session': () => store.sessions.end('x'),
    sessions: () => store.sessions.list('', 10),
    ticket: () => store.tickets.get('x'),
    'new ticket': () => store.tickets.put('x', 'text', 1000, 'owner'),
    presence: () => store.presence.list('c', '', 10, 0),
    'bridge session': () => store.bridge.info('x'),
    'end of a bridge session': () => store.bridge.end('x', 'bye', 1000),
    'new channel': async () => store.channels.publish('c', '1', { publishedAt: 1, idempotencyKey: '' }),
    'top of a channel': () => store.channels.tops(['c'])
  }
  for (const [name, call] of Object.entries(calls)) {
    await remove()
    await t.rejects(call(), replaced, name)
    await putBack()
    await registry.identity.check()
    t.equal(registry.identity.problem, undefined)
  }
})

t.test('another store at the same address is refused, even with the same master key', async t => {
  const { registry, remove, keep, prefix, lines } = await start(t)
  const putBack = await keep()
  await remove()
  const other = await openInstance(t, prefix)
  await other.registry.clients.create({ clientId: 'foreign' }, 'admin')
  await t.rejects(registry.clients.get('foreign'), replaced)
  t.match(registry.identity.problem, { kind: 'foreign', message: /store_/ })
  await remove()
  await putBack()
  await Promise.all([registry.tick(), other.registry.tick()])
  t.equal(registry.identity.problem, undefined)
  t.match(other.registry.identity.problem, { kind: 'foreign' }, 'and the other way around')
  t.equal(lines.length, 2)
})

t.test('a record that was evicted is not missing but lost', async t => {
  const { registry, remove } = await start(t)
  const { keyId } = await registry.clients.create({ clientId: 'game' }, 'admin')
  const { license } = await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
  await remove(`{records}:client:game`)
  await remove(`{records}:license:${license.licenseId}`)
  await t.rejects(registry.credentials('game', keyId), lost)
  await t.rejects(validate(registry, 'pc'), StoreUnavailable)
  t.match((await registry.credentials('never', keyId)).credentials, [{ usable: false }])
  t.equal(registry.identity.problem, undefined)
  t.equal(await registry.clients.wasDeleted('game'), false)
})

t.test('bug: lists and backups silently omitted lost records', async t => {
  const { registry, remove } = await start(t)
  await registry.clients.create({ clientId: 'game' }, 'admin')
  await registry.clients.create({ clientId: 'kept' }, 'admin')
  const { license } = await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
  await remove('{records}:client:game')
  t.match(await registry.clients.list('', 10), { items: [{ clientId: 'kept' }], unreadable: ['game'] })
  t.match(await registry.clients.list('', 1), { items: [], unreadable: ['game'], next: 'game' })
  await t.rejects(makeBackup(registry), lost, 'a backup without it would take the place of a whole one')
  await registry.clients.remove('kept', 'admin')
  t.same((await registry.clients.list('', 10)).items, [], 'a removed one is not lost')
  await remove(`{records}:license:${license.licenseId}`)
  t.match(await registry.licenses.list('', 10), { items: [], unreadable: [license.licenseId] })
  await registry.licenses.remove(license.licenseId, 'admin')
  await registry.clients.remove('game', 'admin')
  t.same((await registry.clients.list('', 10)).unreadable, [], 'what is given up can be deleted')
  t.equal(await registry.clients.wasDeleted('game'), true)
  t.match(await makeBackup(registry), { records: [] })
})

t.test('an evicted head of the audit log stops changes instead of starting another log', async t => {
  const { registry, remove } = await start(t)
  await remove('{records}@audit:head')
  await t.rejects(registry.clients.create({}, 'admin'), StoreUnavailable)
})

t.test('the audit log names deleted clients', async t => {
  const { registry } = await start(t)
  await registry.clients.create({ clientId: 'game' }, 'admin')
  t.equal(await registry.clients.wasDeleted('game'), false)
  await registry.clients.remove('game', 'admin')
  t.equal(await registry.clients.wasDeleted('game'), true)
  await registry.clients.create({ clientId: 'game' }, 'admin')
  t.equal(await registry.clients.wasDeleted('game'), false)
  t.equal(await registry.clients.wasDeleted('never'), false)
})

t.test('a lost pepper comes back from the identity', async t => {
  const { registry, remove, prefix } = await start(t)
  await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
  await remove('{records}:meta:pepper')
  const second = await openInstance(t, prefix)
  t.equal(await validate(second.registry, 'pc'), 'VALID', 'bug: hashes hung on a pepper that only memory held')
})

t.test('a store of which a part is lost is not taken for an empty one', async t => {
  const { registry, remove, prefix } = await start(t)
  await registry.clients.create({}, 'admin')
  await remove('{records}:meta:*')
  await t.rejects(openInstance(t, prefix), UnusableStore)
})

t.test('a newer schema is refused, at start and while it runs', async t => {
  const { registry, store, prefix, redis } = await start(t)
  const key = `${prefix}:{records}:meta:identity`
  const text = await redis.get(key)
  await redis.set(key, (text ?? '').replace('.2.', '.3.'))
  await t.rejects(openInstance(t, prefix), { name: 'UnusableStore', message: /schema version 3/ })
  await t.rejects(store.durable.get('client:x'), replaced)
  t.match(registry.identity.problem, { kind: 'newer' })
})

t.test('a forged identity is refused', async t => {
  const { registry, store, prefix, redis } = await start(t)
  await redis.set(`${prefix}:{records}:meta:identity`, '1\nstore_x.2.v2.00000000.x')
  await t.rejects(store.durable.get('client:x'), replaced)
  t.match(registry.identity.problem, { kind: 'foreign' })
})
