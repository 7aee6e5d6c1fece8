import { chmodSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runGateway, tempDir } from '../helper/process.js'
import { startRedis } from '../helper/redis-server.js'
import { serveHttp, startCommands } from './helper.js'

const { ask, good, json } = await startCommands(t)

t.test('doctor, with the embedded store', async t => {
  const running = await good(t, ['doctor'])
  t.match(running, /✓ store: embedded; a running gateway uses /)
  t.match(running, /✓ port: a gateway answers at .+, and is ready/)
  t.match(running, /✓ data folder: .+closed to others/)

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
  const skewed = await ask(['doctor'], { env: settings, now: () => Date.now() + 5000 })
  t.equal(skewed.code, 1)
  t.match(skewed.out, /✗ clock: Redis' clock is \d+ ms behind/)
  await redis.stop()
  const gone = await ask(['doctor'], { env: settings })
  t.equal(gone.code, 1)
  t.match(gone.out, /✗ store: Redis does not answer: .*ECONNREFUSED/)
})
