import { onEachStore } from './each-store.js'

onEachStore((t, { open }) => {
  t.test('an import becomes visible all at once', async t => {
    const { gateway, admin, createClient } = await open(t)
    const wire = await gateway.session(await createClient())
    const validate = async (key: string) =>
      (await wire.ask({ type: 'validate', serviceId: 's', hwid: 'h', key }))['code']
    await admin('POST', '/licenses', { serviceId: 's', key: 'old' })
    const chunk = (from: number, count: number) => ({
      licenses: Array.from({ length: count }, (_, i) => ({ serviceId: 's', key: `k${from + i}` }))
    })
    const { body, status } = await admin('POST', '/imports')
    t.equal(status, 201)
    const path = `/imports/${body.importId}`
    t.match(await admin('POST', `${path}/licenses`, chunk(0, 500)), { status: 200, body: { accepted: 500 } })
    t.match(await admin('POST', `${path}/licenses`, chunk(500, 100)), { body: { accepted: 100 } })
    t.equal(await validate('k0'), 'NOT_FOUND', 'invisible before the commit')
    t.equal((await admin('GET', '/licenses')).body.items.length, 1)
    const refused = async (licenses: unknown, wanted: object) =>
      t.match(await admin('POST', `${path}/licenses`, { licenses }), wanted)
    const extra = { serviceId: 's', key: 'extra' }
    await refused([extra, { serviceId: 's', key: 'k0' }], { status: 409, body: { code: 'CONFLICT', index: 1 } })
    await refused([extra, { serviceId: 's', key: 'old' }], { status: 409, body: { index: 1 } })
    await refused([extra, extra], { status: 409, body: { index: 1 } })
    await refused([extra, { ...extra, key: 'x', expiresAt: '2026-02-31T00:00:00Z' }], { status: 400 })
    await refused([extra, { serviceId: 's' }], { status: 400 })
    await refused([], { status: 400 })
    await refused(chunk(0, 501).licenses, { status: 400 })
    t.equal((await admin('POST', '/licenses', { serviceId: 's', key: 'k1' })).status, 409, 'k1 is in an open import')
    t.match(await admin('POST', `${path}/commit`), { status: 200, body: { licenses: 600 } })
    t.equal(await validate('k0'), 'VALID')
    t.equal(await validate('k599'), 'VALID')
    t.equal(await validate('extra'), 'NOT_FOUND', 'a refused chunk leaves nothing')
    const pages = []
    for (let after = ''; ; ) {
      const page = (await admin('GET', `/licenses?limit=250&after=${after}`)).body
      pages.push(page.items.length)
      if (page.next === undefined) break
      after = page.next
    }
    t.same(pages, [250, 250, 101])
    t.notMatch(JSON.stringify((await admin('GET', '/licenses?limit=5')).body), /importId/)
    t.equal((await admin('POST', `${path}/commit`)).status, 409)
    t.equal((await admin('POST', `${path}/licenses`, chunk(900, 1))).status, 409)
    t.equal((await admin('DELETE', path)).status, 409)
    t.equal((await admin('POST', '/imports/imp_none/commit')).status, 404)
  })

  t.test('an aborted or abandoned import leaves nothing', async t => {
    const { admin, store } = await open(t)
    const stage = async () => {
      const { importId } = (await admin('POST', '/imports')).body
      const licenses = Array.from({ length: 30 }, (_, i) => ({ serviceId: 's', key: `k${i}` }))
      t.equal((await admin('POST', `/imports/${importId}/licenses`, { licenses })).status, 200)
      return importId
    }
    const remaining = async () =>
      (await store.durable.list('license', '', 99)).length + (await store.durable.list('staged', '', 99)).length
    const first = await stage()
    t.equal(await remaining(), 31)
    t.equal((await admin('DELETE', `/imports/${first}`)).status, 204)
    t.equal(await remaining(), 0)
    const second = await stage()
    const third = await stage()
    t.equal(await remaining(), 31, 'a new import clears what the previous one left')
    t.equal((await admin('POST', `/imports/${second}/commit`)).status, 409)
    t.equal((await admin('POST', `/imports/${third}/commit`)).status, 200)
    t.equal((await admin('GET', '/licenses')).body.items.length, 30)
    t.match((await admin('GET', '/audit/verify')).body, { entries: /\d/, brokenAt: undefined })
  })
})
