import t from 'tap'
import { startGateway, testAdminToken } from '../helper/gateway.js'

const bearer = { authorization: `Bearer ${testAdminToken}` }

t.test('accepts a valid bearer token only', async t => {
  const { url } = await startGateway(t)
  const status = async (headers: Record<string, string>) => {
    const answer = await fetch(`${url}/v1/admin/clients`, { headers })
    const { code } = await answer.json()
    return [answer.status, code]
  }
  const messageFor = async (headers: Record<string, string>) =>
    (await (await fetch(`${url}/v1/admin/clients`, { headers })).json()).message
  t.match(await messageFor({}), /needs a bearer token/)
  t.match(await messageFor({ authorization: `Bearer ${testAdminToken}x` }), /unknown or has expired/)
  t.same(await status({}), [401, 'UNAUTHORIZED'])
  t.same(await status({ authorization: testAdminToken }), [401, 'UNAUTHORIZED'])
  t.same(await status({ authorization: `Bearer ${testAdminToken}x` }), [401, 'UNAUTHORIZED'])
  t.same(await status({ authorization: 'Bearer ' }), [401, 'UNAUTHORIZED'])
  t.same(await status(bearer), [200, undefined])
  t.same(await status({ authorization: `bearer ${testAdminToken}` }), [200, undefined])
})

t.test('refuses plain HTTP from other machines', async t => {
  const status = async (config: object, headers: Record<string, string>) => {
    const { url } = await startGateway(t, { config })
    return (await fetch(`${url}/v1/admin/clients`, { headers: { ...bearer, ...headers } })).status
  }
  const proxy = { trustProxy: ['127.0.0.1'] }
  const far = { 'x-forwarded-for': '203.0.113.9' }
  t.equal(await status(proxy, far), 403)
  t.equal(await status(proxy, { ...far, 'x-forwarded-proto': 'https' }), 200, 'a trusted proxy reports HTTPS')
  t.equal(
    await status({}, { ...far, 'x-forwarded-proto': 'https' }),
    200,
    'loopback; the headers of an untrusted peer are ignored'
  )
  t.equal(await status({ ...proxy, allowInsecureHttp: true }, far), 200)
  t.equal(await status(proxy, {}), 200)
})

t.test('limits the requests of one address', async t => {
  const { url, app } = await startGateway(t, { config: { rateLimit: true } })
  const limit = Number((await app.server.inject('/v1/admin/clients')).headers['x-ratelimit-limit'])
  t.ok(limit > 100, 'guesses at the token count, too')
  let last = { statusCode: 0, headers: {}, json: () => ({}) } as Awaited<ReturnType<typeof app.server.inject>>
  for (let i = 0; i < limit; i++) last = await app.server.inject('/v1/admin/clients')
  t.equal(last.statusCode, 429)
  t.match(last.json(), { code: 'RATE_LIMITED', message: /^more than [\d,]+ requests .*COUNTERSIGN_RATE_LIMIT/ })
  t.ok(Number(last.headers['retry-after']) > 0)
  t.equal((await fetch(`${url}/readyz`)).status, 200, 'health checks are not limited')
})
