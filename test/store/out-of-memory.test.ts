import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { openRedisStore } from '../../src/store/redis/index.js'
import { startGateway, testAdminToken } from '../helper/gateway.js'
import { type RedisServer, startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'

/** A Redis that has reached `maxmemory` refuses writes, but what protects or ends something still runs (the reserve). */

interface FullRedis {
  readonly server: RedisServer
  /** From now on it has reached its maxmemory. */
  fill(): Promise<void>
  /** Frees memory again. */
  free(): Promise<void>
}

async function startFullRedis(t: Test): Promise<FullRedis> {
  const server = await startRedis(['--save', '', '--maxmemory-policy', 'noeviction'])
  t.teardown(() => server.stop())
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  const setMaxMemory = async (bytes: string) => void (await admin.config('SET', 'maxmemory', bytes))
  // Any server has used more than a kilobyte.
  return { server, fill: () => setMaxMemory('1kb'), free: () => setMaxMemory('0') }
}

t.test('bug: refusals of publications for lack of memory were not visible', async t => {
  const { server, fill, free } = await startFullRedis(t)
  const store = await openRedisStore(server.url)
  const gateway = await startGateway(t, { store })
  const ready = async () => {
    const answer = await fetch(`${gateway.url}/readyz`)
    return { status: answer.status, body: (await answer.json()) as { checks: { store: string } } }
  }
  t.match(await ready(), { status: 200, body: { checks: { store: 'ok' } } })
  t.equal(await store.memory?.(), undefined, 'no maxmemory')
  await fill()
  t.match(await store.memory?.(), { usedBytes: Number, maxBytes: 1024 })
  t.match(await ready(), { status: 503, body: { checks: { store: /^full/ } } }, 'not even a small write')
  await free()
  t.match(await ready(), { status: 200, body: { checks: { store: /^full/ } } }, 'lately, though small writes work')
})

for (const transport of ['ws', 'bridge'] as const) {
  t.test(`bug: ${transport}: with a full Redis even the revocation of a key was answered 503`, async t => {
    const { server, fill, free } = await startFullRedis(t)
    const store = await openRedisStore(server.url)
    const gateway = await startGateway(t, { store, transport })
    const names = ['revoked', 'suspended', 'deleted', 'ended', 'live'] as const
    const clients = await Promise.all(names.map(clientId => gateway.createClient({ clientId, publish: ['*'] })))
    const wires = await Promise.all(clients.map(client => gateway.session(client)))
    const [revoked, , , ended] = wires
    const { body: license } = await gateway.admin('POST', '/licenses', { serviceId: 'svc' })
    const { body: sessions } = await gateway.admin('GET', '/sessions')
    const sessionId = sessions.items.find(({ clientId }: { clientId: string }) => clientId === 'ended').sessionId

    await fill()
    t.match(await gateway.admin('POST', '/clients', {}), { status: 503, body: { outcome: 'unsent' } })
    const live = wires[4]
    await t.rejects(gateway.publish({ channel: 'a', data: 1 }), /503/)
    t.match(await gateway.admin('DELETE', `/clients/revoked/keys/${clients[0]?.keyId}`), { status: 204 })
    t.match(await gateway.admin('PATCH', '/clients/suspended', { status: 'suspended' }), { status: 200 })
    t.match(await gateway.admin('DELETE', '/clients/deleted'), { status: 204 })
    t.match(await gateway.admin('DELETE', `/sessions/${sessionId}`), { status: 204 })
    t.match(await gateway.admin('PATCH', `/licenses/${license.licenseId}`, { status: 'suspended' }), { status: 200 })
    t.match(await gateway.admin('PUT', `/licenses/${license.licenseId}/hwids/h1`, { banned: true }), { status: 200 })
    t.match(await gateway.admin('DELETE', `/licenses/${license.licenseId}`), { status: 204 })
    for (const wire of [revoked, wires[1], wires[2], ended]) {
      t.match(await wire?.next('error'), { code: 'SESSION_REVOKED' })
    }
    await until('all but one have ended', async () => (await store.sessions.count()) === 1)
    gateway.clock.advance(10_000)
    await gateway.app.tick()
    t.match(await live?.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'a live session goes on')

    await free()
    t.match(await gateway.admin('POST', '/clients', {}), { status: 201 })
    t.match(await live?.ask({ type: 'publish', channel: 'a', data: 1 }), { type: 'published' })
  })
}

t.test('bug: with a full Redis a backup was refused', async t => {
  const { server, fill } = await startFullRedis(t)
  const gateway = await startGateway(t, { store: await openRedisStore(server.url) })
  await gateway.createClient({ clientId: 'kept' })
  await fill()
  t.match(await gateway.admin('POST', '/clients', {}), { status: 503 }, 'it is full')
  const headers = { authorization: `Bearer ${testAdminToken}` }
  const backup = await fetch(`${gateway.url}/v1/admin/backup`, { headers })
  t.equal(backup.status, 200)
  const lines = (await backup.text()).trimEnd().split('\n')
  t.match(lines.join('\n'), /"record":\["client:kept",/)
  t.match(JSON.parse(lines.at(-1) ?? ''), { end: { signature: String } }, 'to its end')
  const { body: audit } = await gateway.admin('GET', '/audit')
  t.match(audit.items.at(-1), { action: 'store.backup' }, 'with its audit entry, from the reserve')
})
