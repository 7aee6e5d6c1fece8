import t from 'tap'
import { startGateway } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(kind, async t => {
    const open = async (t: Parameters<typeof startGateway>[0]) => {
      const { store } = await openStore(t, Date.now)
      return startGateway(t, { store })
    }

    t.test('creates, reads, lists, changes and deletes clients', async t => {
      const { admin, clock } = await open(t)
      const made = await admin('POST', '/clients', {
        clientId: 'game-1',
        subscribe: ['match:*'],
        publish: ['match:1'],
        attributes: { team: 'a' }
      })
      t.equal(made.status, 201)
      t.match(made.body, {
        clientId: 'game-1',
        keyId: /^key_/,
        secret: /^cs_sk_/,
        subscribe: ['match:*'],
        services: ['*']
      })
      t.match(await admin('POST', '/clients', { clientId: 'game-1' }), { status: 409, body: { code: 'CONFLICT' } })
      const unnamed = await admin('POST', '/clients', {})
      t.match(unnamed, { status: 201, body: { clientId: /^client_[0-9a-f]{24}$/ } })
      const { body: seen } = await admin('GET', '/clients/game-1')
      t.match(seen, {
        ...{ clientId: 'game-1', status: 'active', attributes: { team: 'a' } },
        createdAt: new Date(clock.now()).toISOString(),
        keys: [{ keyId: made.body.keyId }]
      })
      t.notMatch(JSON.stringify(seen), /secret|sealed/)
      const patched = await admin('PATCH', '/clients/game-1', { services: ['a*'], status: 'suspended' })
      t.match(patched, { status: 200, body: { services: ['a*'], status: 'suspended', publish: ['match:1'] } })
      const page = await admin('GET', '/clients?limit=1')
      t.equal(page.body.items.length, 1)
      const rest = await admin('GET', `/clients?limit=9&after=${page.body.next}`)
      t.equal(rest.body.items.length, 1)
      t.equal(rest.body.next, undefined)
      t.match(await admin('DELETE', '/clients/game-1'), { status: 204, body: undefined })
      t.match(await admin('GET', '/clients/game-1'), { status: 404, body: { code: 'NOT_FOUND' } })
      t.equal((await admin('PATCH', '/clients/game-1', { services: [] })).status, 404)
    })

    t.test('rotates and revokes keys', async t => {
      const { admin, clock, createClient } = await open(t)
      const { clientId, keyId } = await createClient()
      const rotated = await admin('POST', `/clients/${clientId}/keys`, { overlap: 60 })
      t.match(rotated, {
        status: 201,
        body: { clientId, secret: /^cs_sk_/, previousExpiresAt: new Date(clock.now() + 60_000).toISOString() }
      })
      t.equal((await admin('POST', `/clients/${clientId}/keys`, { overlap: 60 })).status, 409)
      t.equal((await admin('POST', `/clients/${clientId}/keys`, { overlap: 60, force: true })).status, 201)
      t.equal((await admin('DELETE', `/clients/${clientId}/keys/${keyId}`)).status, 204)
      t.equal(
        (await admin('DELETE', `/clients/${clientId}/keys/${keyId}`)).status,
        204,
        'revoking again changes nothing'
      )
      t.equal((await admin('DELETE', `/clients/${clientId}/keys/none`)).status, 404)
      t.equal((await admin('POST', `/clients/nobody/keys`, { overlap: 60 })).status, 404)
    })

    t.test('manages licenses and their hwids', async t => {
      const { admin } = await open(t)
      const made = await admin('POST', '/licenses', {
        serviceId: 'svc',
        key: 'KEY/1 ä',
        maxHwids: 2,
        maxSessions: 3,
        startsAt: '2026-01-01T00:00:00Z',
        expiresAt: '2020-01-01T00:00:00+01:00'
      })
      t.match(made, {
        status: 201,
        body: { key: 'KEY/1 ä', maxHwids: 2, maxSessions: 3, expiresAt: '2019-12-31T23:00:00.000Z', status: 'active' }
      })
      const { licenseId } = made.body
      t.match(await admin('POST', '/licenses', { serviceId: 'svc', key: 'KEY/1 ä' }), { status: 409 })
      const own = await admin('POST', '/licenses', { serviceId: 'svc' })
      t.match(own.body, { key: /^.{29}$/, maxHwids: 1 })
      const seen = await admin('GET', `/licenses/${licenseId}`)
      t.match(seen, { status: 200, body: { licenseId, hwids: [], bannedHwids: [] } })
      t.notMatch(JSON.stringify(seen.body), /KEY/)
      t.equal((await admin('GET', '/licenses')).body.items.length, 2)
      const patched = await admin('PATCH', `/licenses/${licenseId}`, {
        status: 'revoked',
        maxSessions: null,
        expiresAt: null
      })
      t.match(patched, { status: 200, body: { status: 'revoked', maxHwids: 2 } })
      t.notOk('maxSessions' in patched.body || 'expiresAt' in patched.body)
      const hwid = encodeURIComponent('disk/№ 1?&#')
      const banned = await admin('PUT', `/licenses/${licenseId}/hwids/${hwid}`, { banned: true })
      t.match(banned, { status: 200, body: { bannedHwids: ['disk/№ 1?&#'] } })
      const unbanned = await admin('PUT', `/licenses/${licenseId}/hwids/${hwid}`, { banned: false })
      t.same(unbanned.body.bannedHwids, [])
      const longest = encodeURIComponent('€'.repeat(85))
      t.equal((await admin('PUT', `/licenses/${licenseId}/hwids/${longest}`, { banned: true })).status, 200)
      const tooLong = encodeURIComponent('€'.repeat(86))
      t.equal((await admin('PUT', `/licenses/${licenseId}/hwids/${tooLong}`, { banned: true })).status, 400)
      t.equal((await admin('DELETE', `/licenses/${licenseId}/hwids/${hwid}`)).status, 404)
      t.equal((await admin('DELETE', `/licenses/${licenseId}/hwids`)).status, 204)
      t.equal((await admin('DELETE', `/licenses/${licenseId}`)).status, 204)
      t.equal((await admin('DELETE', `/licenses/${licenseId}`)).status, 404)
    })

    t.test('pages through the audit log', async t => {
      const { admin, createClient } = await open(t)
      for (let i = 0; i < 3; i++) await createClient()
      const first = await admin('GET', '/audit?limit=3')
      t.same(
        first.body.items.map((entry: { seq: number }) => entry.seq),
        [1, 2, 3]
      )
      const second = await admin('GET', `/audit?limit=3&after=${first.body.next}`)
      t.match(second.body.items, [
        { seq: 4, actor: 'admin', action: 'client.create', previous: first.body.items[2].hash }
      ])
    })
  })
}
