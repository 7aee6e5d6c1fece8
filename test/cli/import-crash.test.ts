import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { adminOf, type RunningGateway, run, runGateway, tempDir } from '../helper/process.js'
import { startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'

/** A large import that is killed half way creates no license; the next one creates all of them. */

const count = 100_000
/** For one chunk. The first waits until the command has read the file and the gateway has cleared an earlier import. */
const chunkPatienceMs = 240_000
/** Chunks of 500 licenses that are staged before the kill. */
const chunksBeforeKill = 60
const adminToken = 'an-admin-token-of-forty-characters-0123'

function writeLicenses(dir: string): string {
  const path = join(dir, 'licenses.csv')
  const lines = Array.from({ length: count }, (_, i) => `svc,KEY-${i}-ABCDEFGH,1`)
  writeFileSync(path, `serviceId,key,maxHwids\n${lines.join('\n')}\n`)
  return path
}

type Admin = ReturnType<typeof adminOf>

async function countLicenses(admin: Admin): Promise<number> {
  let seen = 0
  for (let after: string | undefined = ''; after !== undefined; ) {
    const { body }: { body: { items: unknown[]; next?: string } } = await admin(
      'GET',
      `/licenses?limit=1000&after=${after}`
    )
    seen += body.items.length
    after = body.next
  }
  return seen
}

function startImport(t: Test, gateway: RunningGateway, file: string, token: string) {
  return run(t, ['licenses', 'import', file, '--url', gateway.url], { COUNTERSIGN_ADMIN_TOKEN: token })
}

/** Starts an import and waits until half of it is staged. */
async function importHalf(t: Test, gateway: RunningGateway, admin: Admin, file: string, token: string) {
  const { body } = await admin('GET', '/audit/verify')
  const program = startImport(t, gateway, file, token)
  let chunks = 0
  // The timeout applies to each chunk: the time for all of them depends on the machine.
  for (let wanted = 1; wanted <= chunksBeforeKill; wanted++) {
    const isStaged = async () => {
      if (chunks < wanted) {
        const { body: now } = await admin('GET', `/audit?limit=1000&after=${body.entries}`)
        chunks = now.items.filter((entry: { action: string }) => entry.action === 'import.stage').length
      }
      return chunks >= wanted
    }
    await until(`chunk ${wanted} is staged`, isStaged, chunkPatienceMs)
  }
  return program
}

async function importAll(t: Test, gateway: RunningGateway, admin: Admin, file: string, token: string) {
  const whole = startImport(t, gateway, file, token)
  t.match(await whole.ended, { code: 0 }, whole.stderr())
  t.match(whole.stdout() + whole.stderr(), /100000 licenses imported/)
  t.equal(await countLicenses(admin), count)
  t.equal((await admin('GET', '/audit/verify')).body.brokenAt, undefined)
}

// Several processes do much work: on a busy machine it takes minutes.
t.setTimeout(900_000)

t.test('embedded: the command is killed, then the gateway', async t => {
  const dataDir = tempDir(t)
  const file = writeLicenses(dataDir)
  const env = { COUNTERSIGN_ADMIN_TOKEN: adminToken, COUNTERSIGN_LOG_LEVEL: 'silent' }
  const first = await runGateway(t, dataDir, env)
  const admin = adminOf(first, adminToken)
  const killed = await importHalf(t, first, admin, file, adminToken)
  killed.child.kill('SIGKILL')
  await killed.ended
  t.equal(await countLicenses(admin), 0)

  const orphan = await importHalf(t, first, admin, file, adminToken)
  first.child.kill('SIGKILL')
  t.match(await orphan.ended, { code: 1 }, 'the command reports the failure')
  t.match(orphan.stderr(), /\w/)
  const second = await runGateway(t, dataDir, env)
  t.equal(await countLicenses(adminOf(second, adminToken)), 0)
  await importAll(t, second, adminOf(second, adminToken), file, adminToken)
})

t.test('Redis: the command is killed', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const dir = tempDir(t)
  const file = writeLicenses(dir)
  const gateway = await runGateway(t, dir, {
    COUNTERSIGN_STORE: redis.url,
    COUNTERSIGN_MASTER_KEY: Buffer.alloc(32, 3).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: adminToken,
    COUNTERSIGN_LOG_LEVEL: 'silent'
  })
  const admin = adminOf(gateway, adminToken)
  const killed = await importHalf(t, gateway, admin, file, adminToken)
  killed.child.kill('SIGKILL')
  await killed.ended
  t.equal(await countLicenses(admin), 0)
  await importAll(t, gateway, admin, file, adminToken)
})
