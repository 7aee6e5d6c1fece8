import { join } from 'node:path'
import t from 'tap'
import { adminOf, runGateway } from '../helper/process.js'
import { mountSmallDisk } from '../helper/small-disk.js'
import { until } from '../helper/until.js'
import { connectWire } from '../helper/wire.js'

const disk = mountSmallDisk(t, 4)

t.test('a full disk does not end the process', { skip: typeof disk === 'string' ? disk : false }, async t => {
  if (typeof disk === 'string') return
  const gateway = await runGateway(t, join(disk.folder, 'data'))
  const admin = adminOf(gateway)
  const ready = async () => {
    const answer = await fetch(`${gateway.url}/readyz`)
    return { status: answer.status, body: await answer.json() }
  }
  const credential = (await admin('POST', '/clients', { clientId: 'game' })).body
  await admin('POST', '/clients', { clientId: 'thief' })
  const license = (await admin('POST', '/licenses', { serviceId: 'shop' })).body
  const wire = await connectWire(t, `${gateway.url.replace('http', 'ws')}/v1/ws`)
  wire.authenticate(credential)
  await wire.next('welcome')
  const validate = (key: string) => wire.ask({ type: 'validate', serviceId: 'shop', key, hwid: 'pc-1' })
  t.match(await validate(license.key), { type: 'validation', code: 'VALID' })
  const unbound = (await admin('POST', '/licenses', { serviceId: 'shop' })).body

  disk.fill()
  const attributes = { note: 'x'.repeat(100) }
  const create = (i: number) => admin('POST', '/clients', { clientId: `c${i}`, attributes })
  let refused = await create(0)
  for (let i = 1; refused.status === 201; i++) refused = await create(i)
  t.match(refused, { status: 503, body: { code: 'UNAVAILABLE', outcome: 'unsent' } })
  const storm = await Promise.all(Array.from({ length: 50 }, (_, i) => create(1_000_000 + i)))
  t.ok(storm.every(({ status }) => status === 503))
  t.match(await ready(), { status: 503, body: { checks: { store: "the data folder's disk is full" } } })
  t.equal((await fetch(`${gateway.url}/livez`)).status, 200)
  t.match(await validate(license.key), { code: 'VALID' }, 'a bound license is only read')
  t.match(
    await validate(unbound.key),
    { type: 'error', code: 'UNAVAILABLE', outcome: 'unsent' },
    'a new binding is a change'
  )
  const other = await connectWire(t, `${gateway.url.replace('http', 'ws')}/v1/ws`)
  other.authenticate(credential)
  await other.next('welcome')
  t.equal((await admin('PATCH', '/clients/thief', { status: 'suspended' })).status, 200, 'a suspension still works')
  t.equal((await admin('DELETE', `/licenses/${unbound.licenseId}`)).status, 204, 'a deletion too')

  disk.free()
  await until('ready again', async () => (await ready()).status === 200)
  t.equal((await create(2_000_000)).status, 201)
  t.match((await admin('GET', '/clients/thief')).body, { status: 'suspended' })
  t.match((await admin('GET', '/audit/verify')).body, { brokenAt: undefined })
  t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'the session never ended')
  const lines = gateway.stdout().split('\n')
  t.equal(lines.filter(line => line.includes("changes are refused: the data folder's disk is full")).length, 1)
  t.equal(lines.filter(line => line.includes('changes are accepted again')).length, 1)
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
  t.match(metrics, /^countersign_unhandled_rejections_total 0$/m, 'every rejection of lmdb-js is handled')
  gateway.child.kill('SIGTERM')
  t.match(await gateway.ended, { code: 0 })
})
