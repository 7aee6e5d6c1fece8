import { openRegistry, type Registry } from '../../src/registry/index.js'
import { masterKey, onEachStore } from './each-store.js'

const dayMs = 86_400_000

async function addClients({ clients }: Registry, prefix: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await clients.create({ clientId: `${prefix}-${i}` }, 'admin')
}

async function actions({ audit }: Registry): Promise<string[]> {
  return (await audit.list(0, 1000)).map(({ seq, action }) => `${seq} ${action}`)
}

onEachStore((t, { clock, openStore }) => {
  t.test('bug: the audit log grew without bound; old entries are cut at the start and hourly', async t => {
    const { store } = await openStore(t)
    const registry = await openRegistry(store, [masterKey], clock.now, undefined, { auditDays: 7 })
    await addClients(registry, 'old', 4)
    const [, , third] = await registry.audit.list(0, 3)
    await registry.tick()
    t.same(await registry.audit.verify(), { entries: 5 }, 'nothing is old')
    clock.advance(6 * dayMs)
    await addClients(registry, 'new', 2)
    clock.advance(2 * dayMs)
    await registry.tick()
    t.same(await actions(registry), ['6 client.create', '7 client.create', '8 audit.cut'])
    t.match(await registry.audit.list(7, 1), [{ actor: 'system', detail: { through: 5, entries: 5 } }])
    t.match(await registry.audit.verify(), { entries: 3, brokenAt: undefined, cut: { seq: 5, at: third?.at } })
    await addClients(registry, 'later', 1)
    clock.advance(6 * dayMs)
    await registry.tick()
    t.match(await registry.audit.verify(), { entries: 3, brokenAt: undefined, cut: { seq: 7 } })
    t.same(await actions(registry), ['8 audit.cut', '9 client.create', '10 audit.cut'])
  })

  t.test('keeps all entries without COUNTERSIGN_AUDIT_DAYS', async t => {
    const { store } = await openStore(t)
    const registry = await openRegistry(store, [masterKey], clock.now)
    clock.advance(4000 * dayMs)
    await registry.tick()
    t.same(await registry.audit.verify(), { entries: 1 })
  })

  t.test('of instances that cut while others write, one cuts and the chain stays valid', async t => {
    const { store, another } = await openStore(t)
    const registry = await openRegistry(store, [masterKey], clock.now, undefined, { auditDays: 1 })
    await addClients(registry, 'old', 20)
    clock.advance(2 * dayMs)
    const second = await openRegistry(await another(), [masterKey], clock.now, undefined, { auditDays: 1 })
    const writes = [addClients(registry, 'a', 10), addClients(second, 'b', 10)]
    const verified = registry.audit.verify()
    await Promise.all([registry.tick(), second.tick(), ...writes])
    t.notOk((await verified).brokenAt, 'verified while it was cut')
    const { entries, brokenAt, cut } = await second.audit.verify()
    t.same([brokenAt, cut?.seq, entries], [undefined, 21, 21], '20 new clients and one cut')
    const found = await actions(second)
    t.equal(found.filter(each => each.endsWith('audit.cut')).length, 1)
  })

  t.test('a cut without the anchor is detected, and so is a log that was removed after a cut', async t => {
    const { store } = await openStore(t)
    const registry = await openRegistry(store, [masterKey], clock.now, undefined, { auditDays: 1 })
    await addClients(registry, 'old', 4)
    const forged = { hash: 'f'.repeat(64), text: JSON.stringify({ seq: 6, hash: 'f'.repeat(64) }) }
    clock.advance(2 * dayMs)
    await registry.tick()
    t.match(await registry.audit.verify(), { entries: 1, cut: { seq: 5 } })
    await store.durable.commit({ writes: [], audit: () => forged, cutAuditThrough: 6 })
    t.match(await registry.audit.verify(), { entries: 0, brokenAt: 6, cut: { seq: 5 } }, 'all that was kept is gone')
    const anchor = await store.durable.get('meta:audit')
    const write = { key: 'meta:audit', expect: anchor?.version ?? 0 } as const
    await store.durable.commit({ writes: [{ ...write, text: 'v2.x' }], audit: () => forged })
    t.match(await registry.audit.verify(), { entries: 0, brokenAt: 1 }, 'the anchor does not open')
  })

  t.test('does not cut damaged entries, and logs them once', async t => {
    const { store } = await openStore(t)
    const lines: object[] = []
    const log = { warn: (fields: object) => lines.push(fields) }
    const registry = await openRegistry(store, [masterKey], clock.now, log, { auditDays: 1 })
    await addClients(registry, 'old', 1)
    const forged = { hash: 'f'.repeat(64), text: `{"seq":3,"hash":"${'f'.repeat(64)}"}` }
    await store.durable.commit({ writes: [], audit: () => forged })
    clock.advance(2 * dayMs)
    await registry.tick()
    clock.advance(dayMs / 24)
    await registry.tick()
    t.match(await registry.audit.verify(), { entries: 0, brokenAt: 3 }, 'the forgery is still visible after the cut')
    t.same(lines, [{ seq: 3 }])
  })
})
