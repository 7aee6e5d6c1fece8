import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runGateway, tempDir } from '../helper/process.js'
import { startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'
import { serveHttp, startCommands } from './helper.js'

const { ask, good, json } = await startCommands(t)

t.test('doctor, with the embedded store', async t => {
  const running = await good(t, ['doctor'])
  t.match(running, /✓ store: embedded; a running gateway uses /)
  t.match(running, /✓ port: a gateway answers at .+, and is ready/)
  t.match(running, /✓ data folder: .+closed to others/)
  const beside = { store: { kind: 'embedded', id: /^store_/, schemaVersion: 2 } }
  t.match(await json(t, ['doctor']), beside, 'also beside a running gateway')

  const dataDir = join(tempDir(t), 'data')
  const away = { env: { COUNTERSIGN_DATA_DIR: dataDir, COUNTERSIGN_PORT: '0' } }
  t.match(await json(t, ['doctor'], away), { ok: true })
  t.notOk(existsSync(dataDir), 'it creates nothing')

  const stopped = await runGateway(t, dataDir)
  stopped.child.kill('SIGTERM')
  await stopped.ended
  t.match(
    await good(t, ['doctor'], away),
    /✓ store: embedded, 1 changes[\s\S]+✓ master keys: the master key opens the store/
  )
  t.match(await json(t, ['doctor'], away), { store: { kind: 'embedded', schemaVersion: 2 } })
  chmodSync(join(dataDir, 'master.key'), 0o644)
  const other = Buffer.alloc(32, 1).toString('base64')
  const occupied = await serveHttp(t, (_request, response) => response.end('hello'))
  const sick = await ask(['doctor'], {
    env: { ...away.env, COUNTERSIGN_MASTER_KEY: other, COUNTERSIGN_PORT: new URL(occupied).port }
  })
  t.equal(sick.code, 1)
  t.match(sick.out, /✗ data folder: others can access .+master\.key\n {2}→ chmod 600 /)
  t.match(sick.out, /✗ master keys: none of the master keys opens this store/)
  t.match(sick.out, /✗ port: another program at .+\n {2}→ stop the program that listens there/)
  t.notMatch(sick.out, other)

  const faulty = await ask(['doctor', '--json'], { env: { COUNTERSIGN_PORT: 'x', COUNTERSIGN_PROT: '1' } })
  t.equal(faulty.code, 1)
  t.equal(JSON.parse(faulty.out).checks.filter((check: { ok: boolean }) => !check.ok).length, 2, 'all faults')
})

t.test('doctor, with Redis', async t => {
  const redis = await startRedis(['--save', '', '--appendonly', 'yes'])
  t.teardown(() => redis.stop())
  const settings = {
    COUNTERSIGN_STORE: redis.url,
    COUNTERSIGN_MASTER_KEY: Buffer.alloc(32, 1).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: 'x'.repeat(40),
    COUNTERSIGN_DATA_DIR: tempDir(t),
    COUNTERSIGN_PORT: '0'
  }
  const well = await good(t, ['doctor'], { env: settings })
  t.match(well, /✓ store: (Redis|Valkey) \d[\s\S]+✓ store: appendonly is on[\s\S]+✓ clock: Redis' clock is \d+ ms/)
  t.notMatch(well, /workers/)
  t.match(await good(t, ['doctor', '--workers', 'auto'], { env: settings }), /✓ workers: COUNTERSIGN_WORKERS=auto: /)
  const skewed = await ask(['doctor'], { env: settings, now: () => Date.now() + 5000 })
  t.equal(skewed.code, 1)
  t.match(skewed.out, /✗ clock: Redis' clock is \d+ ms behind/)
  await redis.stop()
  const gone = await ask(['doctor'], { env: settings })
  t.equal(gone.code, 1)
  t.match(
    gone.out,
    /✗ store: Redis cannot be used: Redis at 127\.0\.0\.1:\d+ accepts no connection\n {2}→ is it running/
  )
})

t.test('bug: doctor takes a user without INFO for a Redis that is not running', async t => {
  const redis = await startRedis(['--save', '', '--appendonly', 'yes'])
  t.teardown(() => redis.stop())
  const { Redis } = await import('ioredis')
  const admin = new Redis(redis.url)
  t.teardown(() => admin.disconnect())
  await admin.call('ACL', 'SETUSER', 'gateway', 'on', '>the-password', '~*', '&*', '+@all', '-info')
  const dataDir = tempDir(t)
  chmodSync(dataDir, 0o777)
  const settings = {
    COUNTERSIGN_STORE: redis.url.replace('//', '//gateway:the-password@'),
    COUNTERSIGN_MASTER_KEY: Buffer.alloc(32, 1).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: 'x'.repeat(40),
    COUNTERSIGN_DATA_DIR: dataDir,
    COUNTERSIGN_PORT: '0'
  }
  const out = await good(t, ['doctor'], { env: settings })
  t.match(out, /✓ store: the user may not run INFO: version, appendonly and maxmemory-policy are not checked/)
  t.notMatch(out, /data folder/, 'Redis needs none')
  t.match(await json(t, ['doctor'], { env: settings }), { store: { kind: 'redis' } })

  const wrong = settings.COUNTERSIGN_STORE.replace('the-password', 'hunter2!')
  const refused = await ask(['doctor'], { env: { ...settings, COUNTERSIGN_STORE: wrong } })
  t.match(refused.out, /refuses the user or password\n {2}→ correct them in COUNTERSIGN_STORE/)
  t.notMatch(refused.out, /hunter2|gateway:/)
})

t.test('bug: doctor looks at the sentinels and at the primary that they name', async t => {
  const redis = await startRedis()
  const sentinel = await startRedis(['--sentinel'], dir => {
    const path = join(dir, 'sentinel.conf')
    writeFileSync(path, `sentinel monitor main 127.0.0.1 ${new URL(redis.url).port} 1\n`)
    return path
  })
  t.teardown(() => Promise.all([redis.stop(), sentinel.stop()]))
  const at = `127.0.0.1:${new URL(sentinel.url).port}`
  const env = {
    COUNTERSIGN_STORE: `redis+sentinel://${at},127.0.0.1:1/main`,
    COUNTERSIGN_MASTER_KEY: Buffer.alloc(32, 1).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: 'x'.repeat(40),
    COUNTERSIGN_PORT: '0'
  }
  const { out } = await ask(['doctor'], { env })
  t.match(out, /✓ store: Sentinel: 1 primaries/)
  t.match(out, /✗ store: Sentinel at 127\.0\.0\.1:1 accepts no connection/)
  t.match(out, /✗ store: appendonly is off at 127\.0\.0\.1:\d+\n {2}→ set appendonly yes/)
})

t.test('bug: serve did not report the faults of Redis that doctor finds', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const gateway = await runGateway(t, tempDir(t), {
    COUNTERSIGN_STORE: redis.url,
    COUNTERSIGN_MASTER_KEY: Buffer.alloc(32, 1).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: 'x'.repeat(40)
  })
  await until('it is logged', () => gateway.stdout().includes('appendonly is off: set appendonly yes'))
  t.equal(gateway.stdout().split('appendonly is off').length, 2, 'once')
})
