import { randomBytes } from 'node:crypto'
import { openRegistry } from '../../src/registry/index.js'
import type { RegistryLog } from '../../src/registry/unreadable.js'
import { StoreUnavailable } from '../../src/store/store.js'
import { masterKey, onEachStore, validate } from './each-store.js'
import { fillAsEarlierVersion, putPlain } from './earlier-version.js'

/** Records hold against someone who can write to the store but has no master key. */

function createLog(): { readonly log: RegistryLog; readonly lines: object[] } {
  const lines: object[] = []
  return { lines, log: { warn: (fields, message) => void lines.push({ ...fields, message }) } }
}

onEachStore((t, { clock, openStore, open }) => {
  t.test('one SET does not turn a read token into an admin token', async t => {
    const { store } = await openStore(t)
    const { log, lines } = createLog()
    const registry = await openRegistry(store, [masterKey], clock.now, log)
    const { token, record } = await registry.tokens.create({ name: 'r', scopes: ['read'], clients: [] }, 'admin')
    const key = `token:${record.tokenId}` as const
    const admin = await registry.tokens.create({ name: 'a', scopes: ['admin'], clients: [] }, 'admin')
    const sealed = (await store.durable.get(key))?.text ?? ''
    const foreign = (await store.durable.get(`token:${admin.record.tokenId}`))?.text ?? ''
    const plain = JSON.stringify({ ...record, scopes: ['admin'] })
    const changed = sealed.slice(0, -3) + (sealed.at(-3) === 'A' ? 'B' : 'A') + sealed.slice(-2)
    for (const [name, text] of Object.entries({ plain, foreign, changed, nothing: '', noJson: 'x' })) {
      await putPlain(store, key, text)
      t.equal(await registry.tokens.find(token), undefined, name)
    }
    t.equal(lines.length, 1, 'one line, however often it is read')
    t.match(lines, [{ record: key, message: /does not open/ }])
    t.same(await registry.tokens.list('', 10), { items: [admin.record], unreadable: [record.tokenId] })
    await registry.tokens.remove(record.tokenId, 'admin')
    t.equal(await store.durable.get(key), undefined, 'an operator removes it')
  })

  t.test('no attribute and no hwid is readable in a record or in the audit log', async t => {
    const { registry, store } = await open(t)
    await registry.clients.create({ clientId: 'game', attributes: { city: 'Bern-7421' } }, 'admin')
    await registry.clients.update('game', { attributes: { city: 'Basel-7421' } }, 'admin')
    const { license } = await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
    t.equal(await validate(registry, 'hwid-7421'), 'VALID')
    await registry.licenses.setBanned(license.licenseId, 'banned-7421', true, 'admin')
    const texts = [
      await store.durable.get('client:game'),
      await store.durable.get(`license:${license.licenseId}`),
      ...(await store.durable.auditAfter(0, 100))
    ].map(each => each?.text)
    // With the hyphen: a hash has four such digits now and then.
    t.notMatch(texts.join('\n'), /-7421/)
    const entries = await registry.audit.list(0, 100)
    t.match(
      entries.map(({ action, detail }) => ({ action, detail })),
      [
        { action: 'store.create' },
        { action: 'client.create' },
        { action: 'client.update', detail: { attributes: { city: 'Basel-7421' } } },
        { action: 'license.create', detail: { serviceId: 'svc' } },
        { action: 'license.bind', detail: { hwid: 'hwid-7421' } },
        { action: 'license.ban', detail: { hwid: 'banned-7421' } }
      ],
      'operators see them'
    )
    t.match(await registry.audit.verify(), { entries: 6, brokenAt: undefined })
  })

  t.test('an unreadable client or license is refused, and no answer is computed from it', async t => {
    const { registry, store } = await open(t)
    const { clientId, keyId } = await registry.clients.create({ clientId: 'game' }, 'admin')
    const ticket = await registry.tickets.create({ clientId }, 'admin')
    const { license } = await registry.licenses.create({ serviceId: 'svc', key: 'key' }, 'admin')
    const key = `license:${license.licenseId}` as const
    await putPlain(store, 'client:game', JSON.stringify({ clientId, status: 'active', keys: [] }))
    await putPlain(store, key, JSON.stringify({ ...license, maxHwids: 99 }))
    t.match((await registry.credentials(clientId, keyId)).credentials, [{ usable: false }])
    t.match((await registry.credentials(clientId, ticket.keyId)).credentials, [{ usable: false }], 'its tickets too')
    await t.rejects(validate(registry, 'h'), StoreUnavailable, 'not NOT_FOUND: nobody knows')
    await t.rejects(registry.clients.get('game'), { code: 'CONFLICT', message: /client:game does not open/ })
    await t.rejects(registry.clients.create({ clientId: 'game' }, 'admin'), { code: 'CONFLICT' })
    await registry.licenses.remove(license.licenseId, 'admin')
    await registry.clients.remove('game', 'admin')
    await registry.clients.create({ clientId: 'game' }, 'admin')
    t.equal(await validate(registry, 'h'), 'NOT_FOUND')
  })

  t.test('an import with unreadable records does not block the next one', async t => {
    const { registry, store } = await open(t)
    const first = await registry.imports.start('admin')
    await registry.imports.stage(first, [{ serviceId: 'svc', by: { key: 'key' } }], 'admin')
    await putPlain(store, `import:${first}`, '{"status":"committed"}')
    await t.rejects(validate(registry, 'h'), StoreUnavailable)
    await putPlain(store, 'meta:import', '{"importId":"imp_x"}')
    t.ok(await registry.imports.start('admin'))
  })

  t.test(
    'a store of an earlier version is sealed when it is opened, and plain records are refused after that',
    async t => {
      const { store, another } = await openStore(t)
      const credential = { clientId: 'game', keyId: 'key_1', secret: 'a secret' }
      await fillAsEarlierVersion(store, masterKey, credential)
      await putPlain(store, 'token:tok_1', '{"tokenId":"tok_1","name":"n","scopes":["read"]}')
      const { log, lines } = createLog()
      const [registry] = await Promise.all([
        openRegistry(store, [masterKey], clock.now, log),
        openRegistry(await another(), [masterKey], clock.now)
      ])
      t.match(lines, [{ message: /sealed the records/ }])
      for (const key of ['meta:pepper', 'client:game', 'token:tok_1'] as const) {
        t.match((await store.durable.get(key))?.text, /^v2\./, key)
      }
      t.match(await registry.clients.get('game'), { attributes: { city: 'Bern' } })
      t.match((await registry.credentials('game', 'key_1')).credentials, [{ secret: 'a secret', usable: true }])
      t.match((await registry.audit.list(0, 100)).filter(({ action }) => action === 'store.seal')[0], {
        actor: 'system'
      })
      await putPlain(store, 'token:tok_1', '{"tokenId":"tok_1","name":"n","scopes":["admin"]}')
      const reopened = await openRegistry(store, [masterKey], clock.now)
      t.same(
        await reopened.tokens.list('', 10),
        { items: [], unreadable: ['tok_1'] },
        'also by an instance that starts later'
      )
    }
  )

  t.test('the records of an earlier version are sealed in bounded batches', async t => {
    const { store } = await openStore(t)
    await fillAsEarlierVersion(store, masterKey, { clientId: 'game', keyId: 'key_1', secret: 'a secret' })
    const writes = Array.from({ length: 1100 }, (_, i) => ({
      key: `license:lic_${String(i).padStart(5, '0')}` as const,
      expect: 0,
      text: JSON.stringify({
        licenseId: `lic_${String(i).padStart(5, '0')}`,
        hwids: [],
        pad: 'x'.repeat(i < 3 ? 700_000 : 10)
      })
    }))
    await store.durable.commit({ writes, audit: () => ({ hash: '', text: '{"detail":{}}' }) })
    const registry = await openRegistry(store, [masterKey], clock.now)
    t.equal((await registry.licenses.list('', 2000)).items.length, 1100)
    const sealed = (await registry.audit.list(0, 100)).filter(({ action }) => action === 'store.seal')
    const batches = sealed.flatMap(({ detail }) => (detail['kind'] === 'license' ? [Number(detail['records'])] : []))
    t.equal(
      batches.reduce((sum, records) => sum + records, 0),
      1100
    )
    t.ok(batches.length >= 5 && batches.every(records => records <= 500), batches.join(' '))
  })

  t.test(
    'a key, a ticket and a record under a removed master key are as unknown, with one line that names them',
    async t => {
      const newKey = randomBytes(32)
      const { store, registry } = await open(t)
      const client = await registry.clients.create({ clientId: 'game' }, 'admin')
      const both = await openRegistry(store, [newKey, masterKey], clock.now)
      await both.reencrypt('', 1, 'admin')
      // The record is sealed again with every change, its keys only by `reencrypt`.
      const old = await registry.clients.create({ clientId: 'old' }, 'admin')
      const mixed = await registry.clients.create({ clientId: 'mixed' }, 'admin')
      const ticket = await registry.tickets.create({ clientId: 'visitor' }, 'admin')
      await both.clients.update('mixed', { services: ['x'] }, 'admin')
      const { log, lines } = createLog()
      const alone = await openRegistry(store, [newKey], clock.now, log)
      const found = async ({ clientId, keyId }: { clientId: string; keyId: string }) =>
        (await alone.credentials(clientId, keyId)).credentials
      t.match(await found(client), [{ usable: true }])
      for (let i = 0; i < 3; i++) {
        t.match(await found(old), [{ usable: false }])
        t.match(await found(mixed), [{ usable: false }])
        t.match(await found(ticket), [{ usable: false }])
      }
      t.match(lines, [{ record: 'client:old' }, { clientId: 'mixed', keyId: mixed.keyId }, { ticket: ticket.keyId }])
      t.equal(lines.length, 3)
      t.match(await alone.reencrypt('', 100, 'admin'), { resealed: 0, unreadable: 3, next: undefined })
    }
  )
})
