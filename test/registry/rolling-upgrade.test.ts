import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import t from 'tap'
import { openRegistry } from '../../src/registry/index.js'
import { quietMs } from '../../src/registry/migrate.js'
import { openRedisStore } from '../../src/store/redis/index.js'
import { createClock } from '../helper/clock.js'
import { redisUrl } from '../helper/stores.js'
import { masterKey, validate } from './each-store.js'
import { fillAsEarlierVersion } from './earlier-version.js'

/** A store of an earlier version while instances of both versions use it. */

t.test('writes in a form that an earlier version can read until its last instance has stopped', async t => {
  const { now, advance } = createClock()
  const prefix = `rolling-${randomBytes(6).toString('hex')}`
  const store = await openRedisStore(redisUrl(), { prefix })
  t.teardown(() => store.close())
  await fillAsEarlierVersion(store, masterKey, { clientId: 'game', keyId: 'key_1', secret: 'a secret' })
  // Actions of an instance of that version in Redis: a channel of its own, and a heartbeat.
  const earlier = new Redis(redisUrl())
  const heartbeat = new Redis(redisUrl())
  t.teardown(() => {
    earlier.disconnect()
    heartbeat.disconnect()
  })
  await earlier.subscribe(`${prefix}:words:i_old`)
  await heartbeat.set(`${prefix}:instance:i_old`, '1')

  const lines: string[] = []
  const log = { warn: (_fields: object, message: string) => void lines.push(message) }
  const registry = await openRegistry(store, [masterKey], now, log)
  t.equal(registry.identity.identity.schemaVersion, 1)
  const client = await registry.clients.create({ clientId: 'new' }, 'admin')
  const ticket = await registry.tickets.create({ clientId: 'web' }, 'admin')
  await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
  const stored = JSON.parse((await store.durable.get('client:new'))?.text ?? '')
  t.match(stored, { clientId: 'new', keys: [{ sealed: /^v1\./ }] })
  t.match(JSON.parse((await store.tickets.get(ticket.keyId)) ?? ''), { clientId: 'web', sealed: /^v1\./ })
  t.match((await registry.credentials('game', 'key_1')).credentials, [{ secret: 'a secret', usable: true }])
  t.match((await registry.credentials('web', ticket.keyId)).credentials, [{ usable: true }])
  await t.rejects(registry.backup('admin'), { code: 'CONFLICT' })
  advance(quietMs)
  await registry.tick()
  t.match((await store.durable.get('client:new'))?.text, /^\{/, 'as long as it is there')
  t.match(lines, [/earlier version/])

  await earlier.unsubscribe()
  await registry.tick()
  advance(quietMs)
  await registry.tick()
  t.equal(registry.identity.identity.schemaVersion, 2)
  for (const key of ['client:new', 'client:game', 'meta:pepper'] as const) {
    t.match((await store.durable.get(key))?.text, /^v2\./, key)
  }
  const { keyId, secret } = client
  t.match((await registry.credentials('new', keyId)).credentials, [{ secret, usable: true }])
  const later = await registry.tickets.create({ clientId: 'unknown' }, 'admin')
  t.match(
    (await registry.credentials('unknown', later.keyId)).credentials,
    [{ usable: true }],
    'without a client record'
  )
  t.equal(await validate(registry, 'pc'), 'VALID')
})
