import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { openRegistry, type Registry } from '../../src/registry/index.js'
import { maxRestoredEntries, maxRestoredRecords } from '../../src/registry/restore.js'
import { stores } from '../helper/stores.js'
import { makeBackup, restore, stage } from './backups.js'
import { masterKey, onEachStore, type RegistrySuite, validate } from './each-store.js'

/** A store with a client, a bound license, a token and a revoked key. */
async function fill(registry: Registry) {
  const client = await registry.clients.create({ clientId: 'game', attributes: { city: 'Bern' } }, 'admin')
  const rotated = await registry.clients.rotateKey('game', 60, false, 'admin')
  await registry.clients.revoke('game', client.keyId, 'admin')
  await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
  const { token } = await registry.tokens.create({ name: 'n', scopes: ['read'] }, 'admin')
  return { ...rotated, revokedKeyId: client.keyId, token }
}

async function backupAndTarget(open: RegistrySuite['open'], t: Test) {
  const { registry } = await open(t)
  await fill(registry)
  const { store, registry: target } = await open(t)
  return { backup: await makeBackup(registry), store, target }
}

onEachStore((t, { clock, open }) => {
  t.test('a backup is restored into either store, with all that lasts', async t => {
    const { registry } = await open(t)
    const { keyId, secret, revokedKeyId, token } = await fill(registry)
    t.equal(await validate(registry, 'pc'), 'VALID')
    const backup = await makeBackup(registry)
    t.notMatch(backup.text, /Bern|cs_sk_/, 'its content is sealed')
    for (const [kind, openStore] of Object.entries(stores)) {
      const { store, another } = await openStore(t, clock.now)
      const restored = await openRegistry(store, [masterKey], clock.now)
      const result = await restore(restored, backup)
      t.equal(result.storeId, registry.identity.identity.id, `${kind}: the identity is that of the backup`)
      for (const each of [restored, await openRegistry(await another(), [masterKey], clock.now)]) {
        t.match((await each.credentials('game', keyId)).credentials, [{ secret, usable: true }])
        t.match((await each.credentials('game', revokedKeyId)).credentials, [{ usable: false }])
        t.match(await each.clients.get('game'), { attributes: { city: 'Bern' } })
        t.match(await each.tokens.find(token), { name: 'n' })
        t.equal(await validate(each, 'pc'), 'VALID', 'the hwid is bound')
        t.equal(await validate(each, 'another'), 'HWID_MISMATCH')
        t.match(await each.audit.verify(), { entries: backup.entries.length + 1, brokenAt: undefined })
      }
      const [last] = await restored.audit.list(backup.entries.length, 1)
      t.match(last, { action: 'store.restore', actor: 'admin' })
      await restored.clients.create({ clientId: 'later' }, 'admin')
      t.match(await restored.audit.verify(), { brokenAt: undefined })
    }
  })

  t.test('a log that was cut is restored with its anchor', async t => {
    const { store } = await open(t)
    const registry = await openRegistry(store, [masterKey], clock.now, undefined, { auditDays: 1 })
    await fill(registry)
    clock.advance(2 * 86_400_000)
    await registry.tick()
    const backup = await makeBackup(registry)
    for (const openStore of Object.values(stores)) {
      const { store: empty } = await openStore(t, clock.now)
      const restored = await openRegistry(empty, [masterKey], clock.now)
      await restore(restored, backup)
      const { cut, brokenAt, entries } = await restored.audit.verify()
      t.same([cut, brokenAt, entries], [(await registry.audit.verify()).cut, undefined, backup.entries.length + 1])
      await restored.clients.create({ clientId: 'later' }, 'admin')
      t.match(await restored.audit.verify(), { brokenAt: undefined, entries: entries + 1 })
    }
  })

  t.test('is all or nothing', async t => {
    const { registry } = await open(t)
    await fill(registry)
    const backup = await makeBackup(registry)
    const { store, registry: target } = await open(t)
    const { id } = target.identity.identity
    const [, ...fewer] = backup.records
    await t.rejects(restore(target, { ...backup, records: fewer }), { code: 'CONFLICT', message: /records.*arrived/ })
    const trailer = { ...backup.trailer, entries: 1 }
    await t.rejects(restore(target, { ...backup, trailer }), { code: 'CONFLICT', message: /changed/ })
    const restoreId = await stage(target, backup)
    await target.restores.abort(restoreId)
    const late = target.restores.commit(restoreId, backup.header, backup.trailer, 'admin')
    await t.rejects(late, { code: 'CONFLICT' })
    t.same((await target.clients.list('', 10)).items, [])
    t.equal(target.identity.identity.id, id)
    const unfinished = await stage(target, backup)
    await target.clients.create({ clientId: 'meanwhile' }, 'admin')
    const commit = target.restores.commit(unfinished, backup.header, backup.trailer, 'admin')
    await t.rejects(commit, { code: 'CONFLICT', message: /has clients/ })
    t.equal((await target.clients.list('', 10)).items.length, 1)
    await t.rejects(target.restores.start(backup.header), { code: 'CONFLICT', message: /has clients/ })
    t.equal(await store.durable.get('client:game'), undefined)
  })

  t.test('needs the master key that the backup was made under', async t => {
    const { registry } = await open(t)
    await fill(registry)
    const backup = await makeBackup(registry)
    const otherKey = randomBytes(32)
    const { store } = await stores.embedded(t, clock.now)
    const other = await openRegistry(store, [otherKey], clock.now)
    await t.rejects(other.restores.start(backup.header), { code: 'CONFLICT', message: /none of the master keys/ })
    const both = await openRegistry(store, [otherKey, masterKey], clock.now)
    t.match(await restore(both, backup), { records: backup.records.length })
    t.equal((await both.reencrypt('', 100, 'admin')).unreadable, undefined)
    const alone = await openRegistry(store, [otherKey], clock.now)
    t.match(await alone.clients.get('game'), { clientId: 'game' })
  })

  t.test('bug: an abort dropped the staged data of another restore', async t => {
    const { backup, target } = await backupAndTarget(open, t)
    const first = await target.restores.start(backup.header)
    const second = await stage(target, backup)
    await target.restores.abort(first)
    const { header, trailer } = backup
    t.match(await target.restores.commit(second, header, trailer, 'admin'), { records: backup.records.length })
  })

  t.test('stages no more than a store can take over in one step', async t => {
    const { backup, target, store } = await backupAndTarget(open, t)
    const restoreId = await target.restores.start(backup.header)
    const staged = { records: 0, entries: 0 }
    store.restore.count = async () => staged
    const record = { key: 'client:a', version: 1, text: '{}' }
    const entry = { seq: 1, text: '{}' }
    staged.records = maxRestoredRecords
    const records = target.restores.stage(restoreId, { records: [record], entries: [] })
    await t.rejects(records, { code: 'CONFLICT', message: /more than 2000000 records/ })
    staged.entries = maxRestoredEntries
    const entries = target.restores.stage(restoreId, { records: [], entries: [entry] })
    await t.rejects(entries, { code: 'CONFLICT', message: /more than 10000000 audit entries/ })
    await target.restores.stage(restoreId, { records: [], entries: [] })
  })

  t.test('a restore that was left open is discarded by the next one', async t => {
    const { registry } = await open(t)
    await fill(registry)
    const backup = await makeBackup(registry)
    const { registry: target } = await open(t)
    const first = await stage(target, backup)
    const result = await restore(target, backup)
    t.equal(result.records, backup.records.length)
    await t.rejects(target.restores.stage(first, { records: [], entries: [] }), { code: 'CONFLICT' })
  })

  t.test('refuses files that are not backups', async t => {
    const { registry } = await open(t)
    const { header } = await makeBackup(registry)
    await t.rejects(registry.restores.start({ ...header, countersignBackup: 2 }), { code: 'BAD_REQUEST' })
    await t.rejects(registry.restores.start({ ...header, identity: 'x' }), { code: 'CONFLICT' })
    const newer = header.identity.replace(/\.2\./, '.3.')
    await t.rejects(registry.restores.start({ ...header, identity: newer }), { message: /schema version 3/ })
    const restoreId = await registry.restores.start(header)
    const records = [{ key: 'other:x', version: 1, text: 'x' }]
    await t.rejects(registry.restores.stage(restoreId, { records, entries: [] }), { code: 'BAD_REQUEST' })
  })
})
