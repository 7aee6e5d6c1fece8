import t from 'tap'
import { openRedisStore } from '../../src/store/redis/index.js'
import { adminOf, run, runGateway, tempDir } from '../helper/process.js'
import { startRedis } from '../helper/redis-server.js'
import { connectWire } from '../helper/wire.js'
import { fillAsEarlierVersion, putPlain } from '../registry/earlier-version.js'

/** A gateway that is killed while it seals the records of an earlier version; the next one completes it. */

const clients = 6000
const killsWanted = 2
const masterKey = Buffer.alloc(32, 3)
const adminToken = 'an-admin-token-of-forty-characters-0123'
const credential = { clientId: 'game', keyId: 'key_1', secret: 'a secret' }

t.test('Redis: killed with SIGKILL during the migration, again and again', { timeout: 120_000 }, async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const store = await openRedisStore(redis.url)
  t.teardown(() => store.close())
  await fillAsEarlierVersion(store, masterKey, credential)
  const plain = JSON.parse((await store.durable.get('client:game'))?.text ?? '')
  const ids = Array.from({ length: clients }, (_, i) => `c${i}`)
  for (const clientId of ids) {
    await putPlain(store, `client:${clientId}`, JSON.stringify({ ...plain, clientId, keys: [] }))
  }
  const sample = ids.filter((_, i) => i % 100 === 0)
  const countSealed = async () => {
    const records = await Promise.all(sample.map(id => store.durable.get(`client:${id}`)))
    return records.filter(record => record?.text.startsWith('{') === false).length
  }
  const settings = {
    COUNTERSIGN_STORE: redis.url,
    COUNTERSIGN_MASTER_KEY: masterKey.toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: adminToken
  }
  for (let kills = 0, sealed = 0; kills < killsWanted; kills++) {
    const gateway = run(t, ['serve'], { ...settings, COUNTERSIGN_PORT: '0', COUNTERSIGN_DATA_DIR: tempDir(t) })
    for (const before = sealed; sealed === before; ) sealed = await countSealed()
    gateway.child.kill('SIGKILL')
    await gateway.ended
    sealed = await countSealed()
    t.ok(sealed > 0 && sealed < sample.length, `killed with ${sealed} of ${sample.length} sealed`)
  }
  const gateway = await runGateway(t, tempDir(t), settings)
  t.equal(await countSealed(), sample.length, 'the next one seals the rest before it listens')
  const admin = adminOf(gateway, adminToken)
  const listed = new Set<string>()
  for (let next: string | undefined = ''; next !== undefined; ) {
    const { body } = await admin('GET', `/clients?limit=1000${next === '' ? '' : `&after=${next}`}`)
    t.equal(body.unreadable, undefined, 'all open')
    for (const { clientId } of body.items) listed.add(clientId)
    next = body.next
  }
  t.equal(listed.size, clients + 1, 'no client is lost')
  const wire = await connectWire(t, `${gateway.url.replace('http', 'ws')}/v1/ws`)
  wire.authenticate(credential)
  t.match(await wire.next('welcome'), { type: 'welcome' })
})
