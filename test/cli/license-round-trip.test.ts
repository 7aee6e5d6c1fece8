import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createClock } from '../helper/clock.js'
import { type Gateway, startGateway, testAdminToken } from '../helper/gateway.js'
import { tempDir } from '../helper/process.js'
import { stores } from '../helper/stores.js'
import { cli } from './io.js'

const env = { COUNTERSIGN_ADMIN_TOKEN: testAdminToken }
const keys = ['ABC-1', 'ABC-2', 'ABC-3']

/** Three licenses with all that an import must carry over. */
async function createLicenses({ admin }: Gateway): Promise<string[]> {
  const wanted = [
    { key: 'ABC-1', maxHwids: 3, attributes: { note: 'a "quoted", one', plan: 'pro' } },
    { key: 'ABC-2', startsAt: '2020-01-01T00:00:00.000Z', expiresAt: '2090-01-31T12:00:00.000Z', maxSessions: 2 },
    { key: 'ABC-3' }
  ]
  const ids: string[] = []
  for (const license of wanted)
    ids.push((await admin('POST', '/licenses', { serviceId: 'svc', ...license })).body.licenseId)
  await admin('PUT', `/licenses/${ids[0]}/hwids/stolen`, { banned: true })
  await admin('PATCH', `/licenses/${ids[2]}`, { status: 'suspended' })
  return ids
}

function createValidator(gateway: Gateway) {
  return async (key: string, hwid: string): Promise<string> => {
    const session = await gateway.session(await gateway.createClient())
    const { code } = await session.ask({ type: 'validate', serviceId: 'svc', key, hwid })
    return String(code)
  }
}

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`${kind}: bug: an export could not be imported again, because it contained no hashes of keys`, async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const gateway = await startGateway(t, { store, clock })
    const validate = createValidator(gateway)
    const run = (...args: string[]) => cli([...args, '--url', gateway.url], { env })
    const ids = await createLicenses(gateway)
    t.equal(await validate('ABC-1', 'pc'), 'VALID')
    const before = await Promise.all(ids.map(id => gateway.admin('GET', `/licenses/${id}`)))
    for (const format of ['csv', 'json', 'ndjson']) {
      const file = join(tempDir(t), `licenses.${format}`)
      t.match(await run('licenses', 'export', '--out', file), { code: 0 })
      for (const id of ids) t.equal((await gateway.admin('DELETE', `/licenses/${id}`)).status, 204)
      t.equal(await validate('ABC-1', 'pc'), 'NOT_FOUND')
      t.match(await run('licenses', 'import', file), { code: 0, out: /^3 licenses imported/ })
      const after = await Promise.all(ids.map(id => gateway.admin('GET', `/licenses/${id}`)))
      for (const [i, { body }] of before.entries()) {
        const { createdAt, updatedAt } = after[i]?.body ?? {}
        t.same(after[i]?.body, { ...body, createdAt, updatedAt }, `${format}: nothing else differs`)
      }
      t.equal(await validate('ABC-1', 'pc'), 'VALID', 'the binding is there')
      t.equal(await validate('ABC-1', 'stolen'), 'HWID_BANNED')
      t.equal(await validate('ABC-3', 'pc'), 'SUSPENDED')
    }
    const [{ body } = { body: {} }] = before
    t.notOk(
      keys.some(key => JSON.stringify(body).includes(key)),
      'the hash does not show the key'
    )
  })
}

t.test('refuses the hashes of another store, or of another service, and imports nothing', async t => {
  const [gateway, other] = [await startGateway(t), await startGateway(t)]
  const [id] = await createLicenses(gateway)
  const { body } = await gateway.admin('GET', `/licenses/${id}`)
  const { keyHash } = body
  const file = join(tempDir(t), 'one.csv')
  const importOf = (url: string, text: string) => {
    writeFileSync(file, text)
    return cli(['licenses', 'import', file, '--url', url], { env })
  }
  const foreign = await importOf(other.url, `serviceId,keyHash\nsvc,${keyHash}\n`)
  t.match(foreign, { code: 1, err: /line 2: keyHash: it comes from another store \(pepper .+Nothing was imported/s })
  t.same((await other.admin('GET', '/licenses')).body.items, [])
  const moved = await importOf(gateway.url, `serviceId,keyHash\nanother,${keyHash}\n`)
  t.match(moved, { code: 1, err: /line 2: keyHash: it was changed, or belongs to another serviceId/ })
  const both = await importOf(gateway.url, `serviceId,key,keyHash\nsvc,K,${keyHash}\n`)
  t.match(both, { code: 1, err: /line 2: key and keyHash: give one of them/ })
  const wrong = await importOf(gateway.url, 'serviceId,key,status,hwids\nsvc,K,new,[1]\n')
  t.match(wrong, { code: 1, err: /status: active, suspended or revoked\n.+hwids: a JSON array/s })
  const twice = JSON.stringify([
    { hwid: 'a', boundAt: '2030-01-31T00:00:00Z' },
    { hwid: 'a', boundAt: '2030-01-31T00:00:00Z' }
  ])
  const doubled = await importOf(gateway.url, `serviceId,key,hwids\nsvc,K,"${twice.replaceAll('"', '""')}"\n`)
  t.match(doubled, { code: 1, err: /hwids: the same hwid twice/ })
})
