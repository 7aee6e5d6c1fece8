import { readFileSync } from 'node:fs'
import t from 'tap'
import { startGateway, testAdminToken } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'

const json = { 'content-type': 'application/json' }
const bearer = { authorization: `Bearer ${testAdminToken}` }

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`admin API, ${kind}`, async t => {
    const open = async (t: Parameters<typeof startGateway>[0]) => {
      const { store } = await openStore(t, Date.now)
      return startGateway(t, { store })
    }

    t.test('clients, from their making to their end', async t => {
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

    t.test('keys', async t => {
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
      t.equal((await admin('DELETE', `/clients/${clientId}/keys/${keyId}`)).status, 204, 'again: the same')
      t.equal((await admin('DELETE', `/clients/${clientId}/keys/none`)).status, 404)
      t.equal((await admin('POST', `/clients/nobody/keys`, { overlap: 60 })).status, 404)
    })

    t.test('licenses and hwids', async t => {
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

    t.test('the audit log, page by page', async t => {
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

t.test('bad requests are refused, with a clear word, and change nothing', async t => {
  const { admin, url } = await startGateway(t)
  const refused = async (method: string, path: string, body: unknown, status = 400) => {
    const answer = await admin(method, path, body)
    t.equal(answer.status, status, `${method} ${path} ${JSON.stringify(body)?.slice(0, 60)}`)
    t.type(answer.body?.code, 'string')
    t.type(answer.body?.message, 'string')
    return answer.body
  }
  for (const clientId of ['', '.a', 'a b', 'a'.repeat(65), 5, null, 'ä'])
    await refused('POST', '/clients', { clientId })
  for (const subscribe of ['a', ['*a'], ['a*b'], ['a**'], [''], [5], Array(65).fill('a'), ['ä']]) {
    await refused('POST', '/clients', { subscribe })
  }
  for (const attributes of [
    { a: 5 },
    { a: 'x'.repeat(129) },
    { a: 'ä'.repeat(65) },
    { ['ä'.repeat(17)]: 'x' },
    { '': 'x' },
    'a'
  ]) {
    await refused('POST', '/clients', { attributes })
  }
  await refused('POST', '/clients', { nonsense: true })
  await refused('POST', '/clients', [])
  await refused('POST', '/clients/a/keys', {})
  await refused('POST', '/clients/a/keys', { overlap: '60' })
  await refused('POST', '/clients/a/keys', { overlap: -1 })
  await refused('PATCH', '/clients/a', {})
  for (const license of [
    {},
    { serviceId: 's', key: '' },
    { serviceId: 's', key: '€'.repeat(86) },
    { serviceId: 's', key: '\ud800' },
    { serviceId: 's', maxHwids: 0 },
    { serviceId: 's', maxHwids: 1001 },
    { serviceId: 's', maxSessions: 1.5 },
    { serviceId: 's', expiresAt: '2026-02-30T00:00:00Z' },
    { serviceId: 's', expiresAt: 'tomorrow' },
    { serviceId: 's', expiresAt: '9999-12-31T23:59:59-23:59' },
    { serviceId: 's', expiresAt: 1795334400000 }
  ]) {
    await refused('POST', '/licenses', license)
  }
  await refused('GET', '/clients?limit=0', undefined)
  await refused('GET', '/clients?limit=1001', undefined)
  await refused('GET', '/clients?limit=x', undefined)
  await refused('GET', '/clients?other=1', undefined)
  await refused('GET', '/nothing', undefined, 404)
  const message = await refused('POST', '/licenses', { serviceId: 5 })
  t.match(message, { code: 'BAD_REQUEST', message: /serviceId/ })

  const post = (body: string, headers: Record<string, string>) =>
    fetch(`${url}/v1/admin/clients`, { method: 'POST', body, headers: { ...bearer, ...headers } })
  t.equal((await post('{', json)).status, 400)
  t.equal((await post('', json)).status, 400)
  t.equal((await post('{"clientId":"a","__proto__":{}}', json)).status, 400)
  const bodiless = await fetch(`${url}/v1/admin/clients/nobody`, { method: 'DELETE', headers: { ...bearer, ...json } })
  t.equal(bodiless.status, 404, 'a content type without a body is no fault where none is wanted')
  for (const type of ['text/csv', 'text/plain', 'application/x-www-form-urlencoded']) {
    t.equal((await post('a=b', { 'content-type': type })).status, 415, type)
  }
  const large = await post(JSON.stringify({ clientId: 'a', attributes: { a: 'x'.repeat(70_000) } }), json)
  t.match({ status: large.status, body: await large.json() }, { status: 413, body: { code: 'PAYLOAD_TOO_LARGE' } })
  t.same((await admin('GET', '/clients')).body.items, [])
})

t.test('bug: a path that cannot be routed is answered like everything else, without repeating it', async t => {
  const { url } = await startGateway(t)
  for (const path of ['/%ZZ', `/v1/admin/licenses/x/hwids/${'a'.repeat(1025)}`]) {
    const answer = await fetch(url + path)
    const text = await answer.text()
    t.match(
      { status: answer.status, keys: Object.keys(JSON.parse(text)) },
      { status: /^40[04]$/, keys: ['code', 'message'] },
      text
    )
    t.notMatch(text, /%ZZ|aaaa/)
  }
})

t.test('who may call', async t => {
  const { url } = await startGateway(t)
  const status = async (headers: Record<string, string>) => {
    const answer = await fetch(`${url}/v1/admin/clients`, { headers })
    const { code } = await answer.json()
    return [answer.status, code]
  }
  const said = async (headers: Record<string, string>) =>
    (await (await fetch(`${url}/v1/admin/clients`, { headers })).json()).message
  t.match(await said({}), /a bearer token is needed/)
  t.match(await said({ authorization: `Bearer ${testAdminToken}x` }), /no token that is known/)
  t.same(await status({}), [401, 'UNAUTHORIZED'])
  t.same(await status({ authorization: testAdminToken }), [401, 'UNAUTHORIZED'])
  t.same(await status({ authorization: `Bearer ${testAdminToken}x` }), [401, 'UNAUTHORIZED'])
  t.same(await status({ authorization: 'Bearer ' }), [401, 'UNAUTHORIZED'])
  t.same(await status(bearer), [200, undefined])
  t.same(await status({ authorization: `bearer ${testAdminToken}` }), [200, undefined])
})

t.test('the admin API refuses plain HTTP from beyond loopback', async t => {
  const status = async (config: object, headers: Record<string, string>) => {
    const { url } = await startGateway(t, { config })
    return (await fetch(`${url}/v1/admin/clients`, { headers: { ...bearer, ...headers } })).status
  }
  const proxy = { trustProxy: ['127.0.0.1'] }
  const far = { 'x-forwarded-for': '203.0.113.9' }
  t.equal(await status(proxy, far), 403)
  t.equal(await status(proxy, { ...far, 'x-forwarded-proto': 'https' }), 200, 'a trusted proxy says it was HTTPS')
  t.equal(
    await status({}, { ...far, 'x-forwarded-proto': 'https' }),
    200,
    'loopback itself; the headers are not believed'
  )
  t.equal(await status({ ...proxy, allowInsecureHttp: true }, far), 200)
  t.equal(await status(proxy, {}), 200)
})

t.test('health, metrics and pages', async t => {
  const { StoreUnavailable } = await import('../../src/store/store.js')
  const { store } = await stores.embedded(t, Date.now)
  const away = { now: false }
  const ping = async () => {
    if (away.now) throw new StoreUnavailable(new Error('gone'))
  }
  const gateway = await startGateway(t, { store: { ...store, ping } })
  const get = async (path: string) => {
    const answer = await fetch(gateway.url + path)
    return { status: answer.status, text: await answer.text() }
  }
  t.equal((await get('/livez')).status, 200)
  t.equal((await get('/readyz')).status, 200)
  away.now = true
  t.match(await get('/readyz'), { status: 503, text: /"store":"gone"/ })
  t.equal((await get('/livez')).status, 200, 'a restart would not mend the store')
  away.now = false
  t.equal((await get('/readyz')).status, 200)
  const wire = await gateway.session(await gateway.createClient())
  await wire.ask({ type: 'validate', serviceId: 's', key: 'k' })
  const { text } = await get('/metrics')
  for (const line of [
    'countersign_sessions 1',
    'countersign_handshakes_total{result="welcome"} 1',
    'countersign_frames_received_total{type="validate"} 1',
    'countersign_validations_total{code="NOT_FOUND"} 1'
  ]) {
    t.ok(text.includes(line), line)
  }
})

t.test('pages are served with a strict content security policy', async t => {
  const { default: Fastify } = await import('fastify')
  const { pageRoutes } = await import('../../src/routes/pages.js')
  const server = Fastify()
  t.teardown(() => server.close())
  await server.register(pageRoutes(new URL('../../dist/web/', import.meta.url)))
  const page = await server.inject('/demo')
  t.equal(page.statusCode, 200)
  t.match(page.headers['content-security-policy'], /default-src 'none'; script-src 'self'/)
  t.equal(page.body, readFileSync('web/demo.html', 'utf8'))
  t.equal(
    (await server.inject('/demo/countersign-client.js')).headers['content-type'],
    'text/javascript; charset=utf-8'
  )
  t.equal((await server.inject('/')).headers.location, '/demo')
  const reference = await server.inject('/docs')
  t.equal(reference.headers['content-security-policy'], page.headers['content-security-policy'])
  t.equal(reference.body, readFileSync('web/docs.html', 'utf8'))
  for (const { body } of [page, reference]) {
    t.notMatch(body, /<style|<script>|\sstyle=|\son\w+=/, 'nothing that the policy forbids')
    for (const [, path = ''] of body.matchAll(/(?:href|src)="((?:demo|docs)\/[^"]+)"/g)) {
      t.match(
        await server.inject(`/${path}`),
        { statusCode: 200, headers: { 'x-content-type-options': 'nosniff' } },
        path
      )
    }
  }
  for (const name of ['docs.js', 'docs-schema.js', 'docs-text.js']) {
    for (const [, module] of readFileSync(`web/${name}`, 'utf8').matchAll(/^import .* from '\.\/(.+)'$/gm)) {
      t.equal((await server.inject(`/docs/${module}`)).statusCode, 200, `${name} finds ${module}`)
    }
  }
})

t.test('requests of one address are limited', async t => {
  const { url, app } = await startGateway(t, { config: { rateLimit: true } })
  const limit = Number((await app.server.inject('/v1/admin/clients')).headers['x-ratelimit-limit'])
  t.ok(limit > 100, 'guesses at the token count as well')
  let last = { statusCode: 0, headers: {}, json: () => ({}) } as Awaited<ReturnType<typeof app.server.inject>>
  for (let i = 0; i < limit; i++) last = await app.server.inject('/v1/admin/clients')
  t.equal(last.statusCode, 429)
  t.same(last.json(), { code: 'RATE_LIMITED', message: 'too many, slow down' })
  t.ok(Number(last.headers['retry-after']) > 0)
  t.equal((await fetch(`${url}/readyz`)).status, 200, 'but not those who watch over it')
})
