import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { openRegistry } from '../../src/registry/index.js'
import { openRedisStore } from '../../src/store/redis/index.js'
import { cli } from '../cli/io.js'
import { type Gateway, startGateway, testAdminToken, testMasterKey } from '../helper/gateway.js'
import { recordingLogger } from '../helper/log-lines.js'
import { startRedis } from '../helper/redis-server.js'
import { makeBackup, restore } from '../registry/backups.js'

/** A Redis that has lost an index or the audit log, each of which is one key. */

const indexes = 'cs:{records}@index:'
const checkEveryMs = 10_000
/** On a busy machine even a ping may take long. */
const whole = /^(ok|slow)/

async function start(t: Test) {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  const { logger, lines } = recordingLogger()
  const gateway = await startGateway(t, { store: await openRedisStore(server.url), logger })
  const damageLines = () => lines.map(({ msg }) => msg).filter(msg => /^the store has lost|whole again/.test(msg))
  return { server, admin, gateway, damageLines }
}

async function tick({ app, clock }: Gateway, afterMs = checkEveryMs): Promise<void> {
  clock.advance(afterMs)
  await app.tick()
}

async function readyz({ url }: Gateway): Promise<{ status: number; store: string }> {
  const answer = await fetch(`${url}/readyz`)
  const { checks } = (await answer.json()) as { checks: { store: string } }
  return { status: answer.status, store: checks.store }
}

async function backupStatus({ url }: Gateway): Promise<number> {
  const headers = { authorization: `Bearer ${testAdminToken}` }
  const answer = await fetch(`${url}/v1/admin/backup`, { headers })
  await answer.text()
  return answer.status
}

t.test('bug: a whole lost index went unnoticed, and backups and lists left its records out', async t => {
  const { server, admin, gateway, damageLines } = await start(t)
  const credential = await gateway.createClient({ clientId: 'kept' })
  await gateway.admin('POST', '/licenses', { serviceId: 'svc' })
  await gateway.admin('POST', '/tokens', { name: 'n', scopes: ['read'] })
  await tick(gateway)
  t.match(await readyz(gateway), { status: 200, store: whole })

  for (const kind of ['client', 'license', 'token'] as const) {
    await admin.rename(`${indexes}${kind}`, 'away')
    t.equal(await backupStatus(gateway), 503, `a backup checks by itself: ${kind}`)
    await tick(gateway)
    const what = `the store has lost the index of its ${kind} records`
    t.match(await readyz(gateway), { status: 200, store: `damaged: ${what}` })
    t.match(await gateway.admin('GET', `/${kind}s`), {
      status: 503,
      body: { message: new RegExp(`^${what}: empty it`) }
    })
    const { out } = await cli(['doctor'], {
      env: {
        COUNTERSIGN_STORE: server.url,
        COUNTERSIGN_MASTER_KEY: testMasterKey.toString('base64'),
        COUNTERSIGN_ADMIN_TOKEN: testAdminToken
      }
    })
    t.match(out, new RegExp(`✗ store: ${what}\\n {2}→ .*restore a backup`))

    await admin.rename('away', `${indexes}${kind}`)
    await tick(gateway, 60_000)
    t.match(await readyz(gateway), { status: 200, store: whole })
    t.match(await gateway.admin('GET', `/${kind}s`), { status: 200, body: { items: [{}] } })
    t.match(damageLines().slice(-2), [new RegExp(`^${what}: .*countersign restore FILE`), 'the store is whole again'])
  }
  t.equal(damageLines().length, 6, 'once each')
  t.ok(await gateway.session(credential), 'what can be read is served')
})

t.test('bug: a store restored between two checks was called damaged for another minute', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  const store = await openRedisStore(server.url)
  t.teardown(() => store.close())
  const registry = await openRegistry(store, [testMasterKey], () => 0)
  await registry.clients.create({ clientId: 'kept' }, 'admin')
  const backup = await makeBackup(registry)
  await admin.del(`${indexes}client`)
  await registry.tick()
  t.match(registry.damage.problem, /^the store has lost the index/)
  await admin.flushall()
  await restore(registry, backup)
  await registry.tick()
  t.equal(registry.damage.problem, undefined)
})

t.test('an index that a new record has begun again is noticed when a lost one is read', async t => {
  const { admin, gateway, damageLines } = await start(t)
  const credential = await gateway.createClient({ clientId: 'kept' })
  await tick(gateway)
  await admin.del(`${indexes}client`)
  await gateway.createClient({ clientId: 'new' })
  await tick(gateway)
  t.match(await readyz(gateway), { store: whole }, 'the index is there')
  await gateway.session(credential)
  await tick(gateway)
  t.match(await readyz(gateway), { status: 200, store: /^damaged/ })
  t.equal(damageLines().length, 1)
  const header = { countersignBackup: 1, storeId: 'store_x', schemaVersion: 1, createdAt: new Date(0).toISOString() }
  const identity = (await gateway.store.pin.read()) ?? ''
  await admin.del(`${indexes}client`)
  t.match(
    await gateway.admin('POST', '/restore', { ...header, identity }),
    { status: 409, body: { message: /has lost the index of its client records: empty it/ } },
    'a restore would leave unlisted clients in force'
  )
})

t.test('an index that is lost right after its first record is noticed', async t => {
  const { admin, gateway } = await start(t)
  await tick(gateway)
  await gateway.createClient()
  await admin.del(`${indexes}client`)
  await tick(gateway)
  t.match(await readyz(gateway), { status: 200, store: /^damaged/ })
})

t.test('a lost audit log is noticed, and so is its head', async t => {
  for (const lost of ['log', 'head']) {
    const { admin, gateway, damageLines } = await start(t)
    await gateway.createClient()
    await tick(gateway)
    await admin.del(`cs:{records}@audit:${lost}`)
    await tick(gateway)
    t.match(await readyz(gateway), { status: 200, store: 'damaged: the store has lost its audit log' })
    t.match(damageLines(), [/^the store has lost its audit log/])
    t.equal(await backupStatus(gateway), 503)
  }
})

t.test('a store whose last client was deleted is whole', async t => {
  const { gateway, damageLines } = await start(t)
  await tick(gateway)
  await gateway.createClient({ clientId: 'last' })
  await tick(gateway)
  t.match(await gateway.admin('DELETE', '/clients/last'), { status: 204 })
  await tick(gateway)
  t.match(await readyz(gateway), { status: 200, store: whole })
  t.same(damageLines(), [])
})
