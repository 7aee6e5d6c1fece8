import { onEachStore } from './each-store.js'

onEachStore((t, { clock, open }) => {
  t.test('finds a token by a hash of it, until it expires or is removed', async t => {
    const { registry, store } = await open(t)
    const expiresAt = clock.now() + 1000
    const { token, record } = await registry.tokens.create({ name: 'shop', scopes: ['read'], expiresAt }, 'admin')
    t.match(record, { tokenId: /^tok_[0-9a-f]{32}$/, clients: [], subscribe: [], publish: [], services: [] })
    t.notMatch((await store.durable.get(`token:${record.tokenId}`))?.text, token, 'the store has no plain token')
    t.same(await registry.tokens.find(token), record)
    t.same(await registry.tokens.list('', 10), { items: [record], unreadable: [] })
    t.equal(await registry.tokens.find(`${token}x`), undefined)
    clock.advance(1000)
    t.equal(await registry.tokens.find(token), undefined)
    await registry.tokens.remove(record.tokenId, 'admin')
    t.same(await registry.tokens.list('', 10), { items: [], unreadable: [] })
    await t.rejects(registry.tokens.remove(record.tokenId, 'admin'), { code: 'NOT_FOUND' })
  })
})
