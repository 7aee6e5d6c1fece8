import t, { type Test } from 'tap'
import { readMasterKeyFile } from '../../src/cli/first-start.js'
import { openRegistry } from '../../src/registry/index.js'
import { openEmbeddedStore } from '../../src/store/embedded/index.js'
import { openRedisStore } from '../../src/store/redis/index.js'
import { adminOf, type RunningGateway, runGateway, tempDir } from '../helper/process.js'
import { startRedis } from '../helper/redis-server.js'
import { connectWire } from '../helper/wire.js'

/** After kill -9 during many changes, every acknowledged change is stored and the audit log is intact. */

const licensesWanted = 1000
/** Numbers of licenses after which the process is killed. */
const killsAt = [150, 400, 800]
const concurrency = 16
const masterKey = Buffer.alloc(32, 3)
const adminToken = 'an-admin-token-of-forty-characters-0123'

interface Acknowledged {
  readonly created: Map<string, string>
  readonly bound: Set<string>
}

/** Creates licenses and binds hwids to them concurrently, until there are `until` of them or the gateway is gone. */
async function createLicenses(
  t: Test,
  gateway: RunningGateway,
  token: string | undefined,
  done: Acknowledged,
  until: number
) {
  const admin = adminOf(gateway, token)
  const client = await admin('POST', '/clients', {})
  const { created, bound } = done
  let next = created.size

  async function createMany(): Promise<void> {
    const wire = await connectWire(t, `${gateway.url.replace('http', 'ws')}/v1/ws`)
    wire.authenticate(client.body)
    await wire.next('welcome')
    while (created.size < until) {
      const key = `key-${next++}-${process.hrtime.bigint()}`
      const { status, body } = await admin('POST', '/licenses', { serviceId: 'svc', key })
      if (status !== 201) throw new Error(`not created: ${status}`)
      created.set(key, body.licenseId)
      const answer = await wire.ask({ type: 'validate', serviceId: 'svc', hwid: `hwid of ${key}`, key })
      if (answer['code'] !== 'VALID') throw new Error(`not bound: ${JSON.stringify(answer)}`)
      bound.add(key)
    }
  }
  const workers = Array.from({ length: concurrency }, createMany)
  if (until < licensesWanted) {
    while (created.size < until) await Promise.race([...workers, new Promise(resolve => setImmediate(resolve))])
    gateway.child.kill('SIGKILL')
  }
  const results = await Promise.allSettled(workers)
  if (until >= licensesWanted) for (const result of results) t.equal(result.status, 'fulfilled')
}

async function check(t: Test, registry: Awaited<ReturnType<typeof openRegistry>>, { created, bound }: Acknowledged) {
  t.ok(created.size >= licensesWanted, `${created.size} created, ${bound.size} bound`)
  const missing: string[] = []
  for (const [key, licenseId] of created) {
    const license = await registry.licenses.get(licenseId)
    if (license === undefined) missing.push(`license of ${key}`)
    else if (bound.has(key) && license.hwids[0]?.hwid !== `hwid of ${key}`) missing.push(`hwid of ${key}`)
  }
  t.same(missing, [], 'every acknowledged change is stored')
  const { entries, brokenAt } = await registry.audit.verify()
  t.equal(brokenAt, undefined, `${entries} audit entries, unbroken`)
  t.ok(entries >= created.size + bound.size)
}

// Several processes do much work: on a busy machine it takes minutes.
t.setTimeout(900_000)

t.test('embedded', async t => {
  const dataDir = tempDir(t)
  const done: Acknowledged = { created: new Map(), bound: new Set() }
  for (const until of [...killsAt, licensesWanted]) {
    const gateway = await runGateway(t, dataDir, { COUNTERSIGN_LOG_LEVEL: 'silent' })
    await createLicenses(t, gateway, undefined, done, until)
    gateway.child.kill('SIGKILL')
    await gateway.ended
  }
  const store = openEmbeddedStore(dataDir, Date.now)
  t.teardown(() => store.close())
  await check(t, await openRegistry(store, readMasterKeyFile(dataDir), Date.now), done)
})

t.test('Redis with AOF always, killed together with the gateway', async t => {
  const redis = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''])
  t.teardown(() => redis.stop())
  const done: Acknowledged = { created: new Map(), bound: new Set() }
  const env = {
    COUNTERSIGN_STORE: redis.url,
    COUNTERSIGN_MASTER_KEY: masterKey.toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: adminToken,
    COUNTERSIGN_LOG_LEVEL: 'silent'
  }
  for (const until of [...killsAt, licensesWanted]) {
    const gateway = await runGateway(t, tempDir(t), env)
    await createLicenses(t, gateway, adminToken, done, until)
    await redis.kill()
    gateway.child.kill('SIGKILL')
    await gateway.ended
    await redis.start()
  }
  const store = await openRedisStore(redis.url)
  t.teardown(() => store.close())
  await check(t, await openRegistry(store, [masterKey], Date.now), done)
})
