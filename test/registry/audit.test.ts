import { onEachStore, validate } from './each-store.js'

onEachStore((t, { open }) => {
  t.test('records every change and detects a forged entry', async t => {
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
      'a validation without a binding leaves no entry'
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
