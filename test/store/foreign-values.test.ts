import { Redis } from 'ioredis'
import pino from 'pino'
import t from 'tap'
import { openRedisStore } from '../../src/store/redis/index.js'
import { connectBridge } from '../helper/bridge-wire.js'
import { startGateway, testAdminToken } from '../helper/gateway.js'
import { startRedis } from '../helper/redis-server.js'

/** Values in Redis that no gateway wrote: an operator's mistake, another program, or an intruder with write access. */

const garbage: Readonly<Record<string, (root: Redis, key: string) => Promise<unknown>>> = {
  text: (root, key) => root.set(key, 'garbage'),
  json: (root, key) => root.set(key, '{}'),
  list: (root, key) => root.rpush(key, 'garbage'),
  hash: (root, key) =>
    root.hset(key, { seq: 'x', hash: 'x', info: 'x', offset: 'x', epoch: 'x', identity: 'x', version: 'x' })
}

t.test('bug: values that were changed in Redis gave 500', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const unreadable: string[] = []
  const store = await openRedisStore(server.url, { onUnreadable: key => unreadable.push(key) })
  t.teardown(() => store.close())
  const errors: string[] = []
  const logger = pino({ level: 'error' }, { write: (line: string) => errors.push(line) })
  const gateway = await startGateway(t, { store, logger })
  const root = new Redis(server.url)
  t.teardown(() => root.disconnect())

  const credential = await gateway.createClient({ clientId: 'victim', subscribe: ['*'], publish: ['*'] })
  await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
  const token = await gateway.admin('POST', '/tokens', { name: 'n', scopes: ['tickets'], clients: ['*'] })
  await gateway.publish({ channel: 'news', data: 1 })
  const wire = await gateway.session(credential)
  const bridge = await connectBridge(gateway.url)
  bridge.authenticate(credential)
  await bridge.next('welcome')
  wire.send({ type: 'validate', serviceId: 'svc', hwid: 'h', key: 'key' })
  await wire.next('validation')

  const post = (path: string, body: object, bearer: string = token.body.token) =>
    fetch(gateway.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}` },
      body: JSON.stringify(body)
    })
  /** Every door that reads the store. @returns the statuses of 500 and the like */
  async function walk(): Promise<string[]> {
    const statuses: [string, number][] = []
    const paths = ['/clients', '/clients/victim', '/licenses', '/tokens', '/sessions', '/audit', '/audit/verify']
    const listed = await Promise.all([...paths, '/channels/news/presence'].map(path => gateway.admin('GET', path)))
    for (const [i, { status }] of listed.entries()) statuses.push([paths[i] ?? 'presence', status])
    statuses.push(['create', (await gateway.admin('POST', '/clients', {})).status])
    statuses.push(['update', (await gateway.admin('PATCH', '/clients/victim', { status: 'active' })).status])
    statuses.push(['publish', (await post('/v1/publish', { channel: 'news', data: 2 }, testAdminToken)).status])
    statuses.push(['ticket', (await post('/v1/tickets', { clientId: 'a' })).status])
    const handshake = await connectBridge(gateway.url).catch(() => undefined)
    handshake?.authenticate(credential)
    const exchanged = await bridge.exchange([]).catch(() => ({ status: 0 }))
    statuses.push(['exchange', exchanged.status])
    await gateway.app.tick()
    statuses.push(['livez', (await fetch(`${gateway.url}/livez`)).status === 200 ? 200 : 500])
    return statuses.filter(([, status]) => status === 500).map(([name, status]) => `${name} ${status}`)
  }

  const keys = (await root.keys('cs:*')).sort()
  t.ok(keys.length > 15, `${keys.length} keys`)
  for (const key of keys) {
    for (const [kind, put] of Object.entries(garbage)) {
      const [kept, ttl] = [await root.dumpBuffer(key), await root.pttl(key)]
      if (kept === null) continue
      await root.del(key)
      await put(root, key)
      t.same(await walk(), [], `${kind} at ${key}`)
      await root.restore(key, Math.max(ttl, 0), kept, 'REPLACE')
    }
  }
  t.equal((await gateway.admin('GET', '/clients')).status, 200, 'well again once the values are back')
  t.ok(unreadable.length > 0)
  t.equal(new Set(unreadable).size, unreadable.length, 'one line for each key')
  t.same(errors, [], 'no failure of the gateway in the log')
})

t.test('bug: a refusal of Redis within a script was reported as a value that no gateway wrote', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const unreadable: string[] = []
  const store = await openRedisStore(server.url, { onUnreadable: key => unreadable.push(key) })
  t.teardown(() => store.close())
  const root = new Redis(server.url)
  t.teardown(() => root.disconnect())
  await root.config('SET', 'min-replicas-to-write', '1')
  await t.rejects(store.rateLimits.consume('x', 1, 1), { cause: { message: /^NOREPLICAS.*user_script/ } })
  await root.config('SET', 'min-replicas-to-write', '0')
  await root.config('SET', 'maxmemory', '1')
  await t.rejects(store.rateLimits.consume('x', 1, 1), { cause: { message: /^OOM/ } })
  t.same(unreadable, [])
})

t.test('bug: where the counts of sessions cannot be written, the deadlines of all move', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const { sessions, close } = await openRedisStore(server.url)
  t.teardown(close)
  const root = new Redis(server.url)
  t.teardown(() => root.disconnect())
  const ids = Array.from({ length: 1001 }, (_, i) => `s${i}`)
  await root.zadd('cs:{sessions}@deadlines', ...ids.flatMap(id => [1, id]))
  await root.set('cs:{sessions}@counts', 'garbage')
  const counts = { frames: 1, bytes: 1, refused: 0 }
  await t.rejects(sessions.touch(ids.map(sessionId => ({ sessionId, deadline: 2, counts }))), /./)
  t.equal(await root.zcount('cs:{sessions}@deadlines', 2, 2), ids.length)
})
