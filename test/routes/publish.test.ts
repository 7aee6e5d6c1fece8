import t from 'tap'
import { createClock } from '../helper/clock.js'
import { startGateway, testAdminToken } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'

/** `POST /v1/publish`. */

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(kind, async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const gateway = await startGateway(t, { store, clock })
    const publish = async (body: unknown, token = testAdminToken) => {
      const answer = await fetch(`${gateway.url}/v1/publish`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: typeof body === 'string' ? body : JSON.stringify(body)
      })
      return { status: answer.status, body: await answer.json() }
    }
    const tokenWith = async (body: object): Promise<string> =>
      (await gateway.admin('POST', '/tokens', { name: 'test', ...body })).body.token

    await t.test('reaches the subscribers', async t => {
      const wire = await gateway.session(await gateway.createClient({ subscribe: ['*'] }))
      await wire.ask({ type: 'subscribe', channel: 'news' })
      const { status, body } = await publish({ channel: 'news', data: { text: 'hé' } })
      t.equal(status, 200)
      t.same(Object.keys(body), ['offset', 'epoch'])
      t.match(await wire.next('publication'), { ...body, channel: 'news', data: { text: 'hé' } })
    })

    await t.test('allows the patterns of the token only', async t => {
      const token = await tokenWith({ scopes: ['publish'], publish: ['a.*', 'client:*'] })
      t.equal((await publish({ channel: 'a.1', data: 1 }, token)).status, 200)
      t.equal((await publish({ channel: 'client:x', data: 1 }, token)).status, 200)
      t.match(await publish({ channel: 'b', data: 1 }, token), { status: 403, body: { code: 'PERMISSION_DENIED' } })
      const all = await tokenWith({ scopes: ['publish'], publish: ['*'] })
      t.equal((await publish({ channel: 'b', data: 1 }, all)).status, 200)
      t.equal((await publish({ channel: 'client:x', data: 1 }, all)).status, 403, '`*` does not spell the prefix')
      t.equal((await publish({ channel: 'session:x', data: 1 })).status, 200, 'the admin token may')
      const other = await tokenWith({ scopes: ['read', 'tickets'], clients: ['*'], publish: ['*'] })
      t.equal((await publish({ channel: 'b', data: 1 }, other)).status, 403)
      t.equal((await publish({ channel: 'b', data: 1 }, 'wrong')).status, 401)
    })

    await t.test('a repeat with the same idempotency key is one publication', async t => {
      const once = { channel: 'once', data: 1, idempotencyKey: 'k' }
      const { body } = await publish(once)
      t.same(await publish(once), { status: 200, body: { ...body, duplicate: true } })
      t.match(await publish({ ...once, data: 2 }), {
        status: 400,
        body: { code: 'BAD_REQUEST', message: /other data/ }
      })
      const token = await tokenWith({ scopes: ['publish'], publish: ['*'] })
      t.match(await publish(once, token), { body: { offset: 2, duplicate: undefined } }, 'keys belong to one token')
      const client = await gateway.session(await gateway.createClient({ clientId: 'admin', publish: ['*'] }))
      const published = await client.ask({ type: 'publish', ...once })
      t.match(published, { offset: 3, duplicate: undefined }, 'keys of clients are separate')
    })

    await t.test('rejects malformed publications', async t => {
      const refused = async (body: unknown, status = 400) =>
        t.match(await publish(body), { status, body: { code: /./ } }, JSON.stringify(body).slice(0, 60))
      await refused({ data: 1 })
      await refused({ channel: 'c' })
      await refused({ channel: 'a b', data: 1 })
      await refused({ channel: 'x'.repeat(129), data: 1 })
      await refused({ channel: 'c', data: 1, more: 1 })
      await refused({ channel: 'c', data: 1, idempotencyKey: '' })
      await refused({ channel: 'c', data: 1, idempotencyKey: 'x'.repeat(65) })
      await refused({ channel: 'c', data: 'x'.repeat(32_767) })
      await refused({ channel: 'c', data: 'x'.repeat(70_000) }, 413)
      await refused('{"channel":"c","data":"\\ud800"}')
      await refused('{"channel":"c","data":[1e400]}')
      await refused(`{"channel":"c","data":${'['.repeat(32)}${']'.repeat(32)}}`)
      t.equal((await publish(`{"channel":"c","data":${'['.repeat(31)}${']'.repeat(31)}}`)).status, 200)
      t.equal((await publish({ channel: 'c', data: 'x'.repeat(32_766) })).status, 200)
      t.match(await publish({ channel: 'c', data: null }), { status: 200, body: { offset: 3 } })
    })
  })
}
