import { onEachStore } from './each-store.js'

onEachStore((t, { open }) => {
  t.test('fills up with decoys to a fixed number', async t => {
    const { registry } = await open(t)
    const { clientId, keyId } = await registry.clients.create({}, 'admin')
    const usable = async (client: string, key?: string) =>
      (await registry.credentials(client, key)).credentials.map(credential => credential.usable)
    t.same(await usable(clientId, keyId), [true])
    t.same(await usable(clientId, 'other'), [false])
    t.same(await usable('nobody', keyId), [false])
    t.same(await usable(clientId), [true, false, false, false])
    t.same(await usable('nobody'), [false, false, false, false])
    await registry.clients.update(clientId, { status: 'suspended' }, 'admin')
    t.same(await usable(clientId, keyId), [false])
  })
})
