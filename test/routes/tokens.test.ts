import { randomBytes } from 'node:crypto'
import { caller, onEachStore } from './each-store.js'

onEachStore((t, { open }) => {
  t.test('a token is returned once, stored as a hash, and allows its scopes until it expires', async t => {
    const { admin, token, gateway, clock, store } = await open(t)
    const reader = await token({ scopes: ['read'] })
    t.match(reader, { tokenId: /^tok_[0-9a-f]{32}$/, token: /^cs_at_/, name: 'test', clients: [], subscribe: [] })
    const { body: listed } = await admin('GET', '/tokens')
    t.equal(listed.items.length, 1)
    t.notMatch(JSON.stringify(listed), /cs_at_/)
    t.notMatch((await store.durable.get(`token:${reader.tokenId}`))?.text, /cs_at_/)
    t.equal((await reader.call('GET', '/v1/admin/clients')).status, 200)
    t.match(await reader.call('POST', '/v1/admin/clients', {}), { status: 403, body: { code: 'PERMISSION_DENIED' } })
    t.equal((await reader.call('POST', '/v1/tickets', { clientId: 'a' })).status, 403)
    const admins = await token({ scopes: ['admin'] })
    t.equal((await admins.call('POST', '/v1/admin/clients', { clientId: 'by-token' })).status, 201)
    const { body: audit } = await admin('GET', '/audit')
    t.match(audit.items.at(-1), { actor: `token:${admins.tokenId}`, action: 'client.create' })
    const tickets = await token({ scopes: ['tickets'], clients: ['a'] })
    t.equal((await tickets.call('GET', '/v1/admin/clients')).status, 403)
    const expiresAt = new Date(clock.now() + 60_000).toISOString()
    const short = await token({ scopes: ['read'], expiresAt })
    t.equal((await short.call('GET', '/v1/admin/clients')).status, 200)
    clock.advance(60_000)
    t.equal((await short.call('GET', '/v1/admin/clients')).status, 401)
    t.equal((await admin('DELETE', `/tokens/${reader.tokenId}`)).status, 204)
    t.equal((await admin('DELETE', `/tokens/${reader.tokenId}`)).status, 404)
    t.equal((await reader.call('GET', '/v1/admin/clients')).status, 401, 'refused at once')
    for (const wrong of [`${reader.token}x`, 'cs_at_', randomBytes(40).toString('base64url')]) {
      t.equal((await caller(gateway, wrong)('GET', '/v1/admin/clients')).status, 401)
    }
    for (const body of [{}, { scopes: [] }, { scopes: ['root'] }, { scopes: ['read', 'read'] }]) {
      t.equal((await admin('POST', '/tokens', { name: 'x', ...body })).status, 400)
    }
  })

  t.test('bug: a token for tickets without `clients` could create tickets for every client', async t => {
    const { admin, token } = await open(t)
    for (const body of [{}, { clients: [] }]) {
      t.match(await admin('POST', '/tokens', { name: 'x', scopes: ['publish', 'tickets'], ...body }), {
        status: 400,
        body: { code: 'BAD_REQUEST', message: /^clients: required/ }
      })
    }
    const any = await token({ scopes: ['tickets'], clients: ['*'] })
    t.equal((await any.call('POST', '/v1/tickets', { clientId: 'anybody' })).status, 201)
  })

  t.test('bug: a token with publish ["*"] created tickets for client:*, which it could not use itself', async t => {
    const { token } = await open(t)
    const all = await token({ scopes: ['publish', 'tickets'], clients: ['*'], publish: ['*'], subscribe: ['*'] })
    for (const publish of ['client:*', 'client:x', 'session:*']) {
      t.match(await all.call('POST', '/v1/tickets', { clientId: 'x', publish: [publish] }), {
        status: 403,
        body: { code: 'PERMISSION_DENIED', message: `publish: ${publish} exceeds the publish patterns of this token` }
      })
    }
    t.equal((await all.call('POST', '/v1/publish', { channel: 'client:x', data: 1 })).status, 403)
    t.equal((await all.call('POST', '/v1/tickets', { clientId: 'x', publish: ['*'] })).status, 201)
    const spelled = await token({ scopes: ['tickets'], clients: ['*'], publish: ['client:*'] })
    t.equal((await spelled.call('POST', '/v1/tickets', { clientId: 'x', publish: ['client:x'] })).status, 201)
  })

  t.test('a ticket never exceeds its token', async t => {
    const { token } = await open(t)
    const web = await token({
      scopes: ['tickets'],
      clients: ['web-*', 'kiosk'],
      subscribe: ['match:*', 'news'],
      publish: ['match:1'],
      services: ['s*'],
      call: ['game/k*'],
      presence: ['match:*']
    })
    const ask = async (body: object) => (await web.call('POST', '/v1/tickets', { clientId: 'web-1', ...body })).status
    t.equal(await ask({}), 201)
    t.equal(
      await ask({ subscribe: ['match:*', 'match:7', 'news'], publish: ['match:1'], services: ['svc', 's*'] }),
      201
    )
    t.equal(await ask({ clientId: 'kiosk' }), 201)
    t.equal(await ask({ clientId: 'kiosk2' }), 403)
    t.equal(await ask({ clientId: 'web' }), 403)
    t.equal(await ask({ subscribe: ['*'] }), 403)
    t.equal(await ask({ subscribe: ['match*'] }), 403)
    t.equal(await ask({ subscribe: ['news*'] }), 403)
    t.equal(await ask({ publish: ['match:*'] }), 403)
    t.equal(await ask({ services: ['*'] }), 403)
    t.equal(await ask({ call: ['game/kick', 'game/k*'], presence: ['match:7'] }), 201)
    for (const call of ['game/*', 'game/shutdown', 'lobby/kick', '*']) t.equal(await ask({ call: [call] }), 403)
    for (const presence of ['news', '*']) t.equal(await ask({ presence: [presence] }), 403)
    for (const ttl of [29, 86_401, 1.5, '60']) t.equal(await ask({ ttl }), 400)
    t.equal(await ask({ ttl: 30 }), 201)
    t.equal(await ask({ ttl: 86_400 }), 201)
    for (const call of [
      'game',
      'game*',
      '/kick',
      'game/',
      'g/a/b',
      'a*/kick',
      'g/é',
      `g/${'x'.repeat(65)}`,
      '**',
      ''
    ]) {
      t.equal(await ask({ call: [call] }), 400, `${call} is not <clientId>/<method>`)
    }
    const bare = await token({ scopes: ['tickets'], clients: ['x'] })
    t.equal((await bare.call('POST', '/v1/tickets', { clientId: 'x' })).status, 201)
    t.equal((await bare.call('POST', '/v1/tickets', { clientId: 'x', subscribe: ['a'] })).status, 403)
  })
})
