import t from 'tap'
import { createClock } from '../helper/clock.js'
import { startGateway } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'

/** `GET /v1/admin/channels/{channel}/presence`. */

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(kind, async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const gateway = await startGateway(t, { store, clock, config: { presence: ['match:*'] } })
    const { admin } = gateway
    const credentials = await Promise.all([1, 2, 3].map(() => gateway.createClient({ subscribe: ['*'] })))
    for (const credential of credentials) {
      const wire = await gateway.session(credential)
      await wire.ask({ type: 'subscribe', channel: 'match:1' })
      await wire.ask({ type: 'subscribe', channel: 'other' })
    }
    await gateway.app.tick()

    await t.test('counts and lists the subscribers in pages', async t => {
      const { status, body } = await admin('GET', '/channels/match:1/presence')
      t.equal(status, 200)
      t.same(Object.keys(body), ['channel', 'count', 'items'])
      t.match(body, { channel: 'match:1', count: 3 })
      t.same(Object.keys(body.items[0]).sort(), ['clientId', 'sessionId'])
      const ids = body.items.map(({ clientId }: { clientId: string }) => clientId)
      t.same(ids.sort(), credentials.map(({ clientId }) => clientId).sort())
      const { body: first } = await admin('GET', '/channels/match:1/presence?limit=2')
      t.same([first.count, first.items.length], [3, 2], 'the count covers all pages')
      const { body: rest } = await admin('GET', `/channels/match:1/presence?limit=2&after=${first.next}`)
      t.equal(rest.next, undefined)
      t.same([...first.items, ...rest.items], body.items)
      t.same((await admin('GET', '/channels/match%3A2/presence')).body, { channel: 'match:2', count: 0, items: [] })
    })

    await t.test('refuses channels that no presence pattern matches', async t => {
      t.match(await admin('GET', '/channels/other/presence'), {
        status: 404,
        body: {
          code: 'NOT_FOUND',
          message: /no presence is kept of other: add a matching pattern to COUNTERSIGN_PRESENCE/
        }
      })
      t.match(await admin('GET', '/channels/a%20b/presence'), { status: 400, body: { code: 'BAD_REQUEST' } })
      t.match(await admin('GET', `/channels/match:${'x'.repeat(123)}/presence`), { status: 400 })
      t.match(await admin('GET', '/channels/match:1/presence?limit=0'), { status: 400 })
    })

    await t.test('requires the scope read', async t => {
      const statusFor = async (scopes: string[]) => {
        const { body } = await admin('POST', '/tokens', { name: 'test', scopes, clients: ['*'] })
        const headers = { authorization: `Bearer ${body.token}` }
        return (await fetch(`${gateway.url}/v1/admin/channels/match:1/presence`, { headers })).status
      }
      t.equal(await statusFor(['read']), 200)
      t.equal(await statusFor(['publish', 'tickets']), 403)
      t.equal((await fetch(`${gateway.url}/v1/admin/channels/match:1/presence`)).status, 401)
    })
  })
}
