import t from 'tap'
import { startGateway, testAdminToken } from '../helper/gateway.js'

const pagesFolder = new URL('../../dist/web/', import.meta.url)

t.test('serves the API reference from its own files, under a strict policy', async t => {
  const { app } = await startGateway(t, { pagesFolder })
  const page = await app.server.inject('/docs')
  t.equal(page.statusCode, 200)
  t.match(page.headers['content-type'], /^text\/html/)
  const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
  t.ok(String(page.headers['content-security-policy']).startsWith(policy))
  t.notMatch(page.headers['content-security-policy'], /unsafe|https?:/)
  t.match(page.body, /<title>Countersign HTTP API<\/title>/)
  t.notMatch(page.body, /<style|<script>|\sstyle=|\son\w+=/, 'nothing that the policy forbids')
  const paths = [...page.body.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, path = '']) => path)
  t.ok(paths.length > 5)
  for (const path of paths) {
    t.match(path, /^\/docs\/static\//, 'every file comes from this gateway')
    const asset = await app.server.inject(path)
    t.match(asset, { statusCode: 200, headers: { 'x-content-type-options': 'nosniff' } }, path)
    t.equal(asset.headers['content-security-policy'], page.headers['content-security-policy'])
  }
})

t.test('the reference shows the document of /openapi.json', async t => {
  const { app } = await startGateway(t, { pagesFolder })
  t.same((await app.server.inject('/docs/json')).json(), (await app.server.inject('/openapi.json')).json())
  const initializer = (await app.server.inject('/docs/static/swagger-initializer.js')).body
  t.match(initializer, /"persistAuthorization":false/, 'a token is not stored')
  t.notMatch(initializer, new RegExp(testAdminToken))
  t.notMatch(initializer, /https?:\/\/(?!stackoverflow)/, 'no third party, e.g. a validator')
})

t.test('the reference is limited like the API, and only served with the pages', async t => {
  const { app } = await startGateway(t, { pagesFolder, config: { rateLimit: true } })
  const api = await app.server.inject('/v1/admin/clients')
  const page = await app.server.inject('/docs')
  t.equal(page.headers['x-ratelimit-limit'], api.headers['x-ratelimit-limit'])
  const bare = await startGateway(t)
  t.equal((await bare.app.server.inject('/docs')).statusCode, 404)
})
