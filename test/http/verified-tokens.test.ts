import t from 'tap'
import { requestsPerMinute } from '../../src/http/rate-limit.js'
import { bearerOf, VerifiedTokens } from '../../src/http/verified-tokens.js'
import { startGateway, testAdminToken } from '../helper/gateway.js'

t.test('knows only tokens that were verified, and forgets the oldest at its bound', async t => {
  const tokens = new VerifiedTokens(2)
  const keyOf = (token: string) => tokens.limiterKeyOf({ authorization: `Bearer ${token}` })
  t.equal(keyOf('a'), undefined)
  for (const token of ['a', 'b', 'a', 'c']) tokens.remember(token)
  t.match(keyOf('a'), /^token:/)
  t.equal(keyOf('b'), undefined)
  t.not(keyOf('a'), keyOf('c'))
  t.equal(tokens.limiterKeyOf({}), undefined)
  t.notMatch(keyOf('a'), /:a$/, 'the key does not contain the token')
})

t.test('reads a token with spaces, and no spaces around it', async t => {
  const bearer = (authorization: string) => bearerOf({ authorization })
  t.equal(bearer('Bearer  a b  c '.trim()), 'a b  c')
  for (const wrong of ['Bearer', 'Bearer ', 'Basic a', 'Bearer a\tb']) t.equal(bearer(wrong), undefined, wrong)
})

t.test('bug: unauthenticated requests used up the rate of valid tokens behind the same address', async t => {
  const gateway = await startGateway(t, { config: { rateLimit: true } })
  const get = async (path: string, token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return (await gateway.app.server.inject({ url: path, headers })).statusCode
  }
  const { body } = await gateway.admin('POST', '/tokens', { name: 'x', scopes: ['read'] })
  t.equal(await get('/v1/admin/clients', body.token), 200, 'the token is verified')
  for (let i = 0; i < requestsPerMinute; i++) await get(i % 2 === 0 ? '/nothing' : '/v1/admin/clients', 'wrong')
  t.equal(await get('/v1/admin/clients'), 429)
  t.equal(await get('/v1/admin/clients', testAdminToken), 200)
  t.equal(await get('/v1/admin/clients', body.token), 200)
})
