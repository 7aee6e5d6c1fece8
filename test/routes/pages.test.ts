import { readdirSync, readFileSync } from 'node:fs'
import Fastify from 'fastify'
import t from 'tap'
import { pageRoutes } from '../../src/routes/pages.js'

t.test('serves the demo with a strict content security policy', async t => {
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
  t.notMatch(page.body, /<style|<script>|\sstyle=|\son\w+=/, 'nothing that the policy forbids')
  for (const [, path = ''] of page.body.matchAll(/(?:href|src)="(demo\/[^"]+)"/g)) {
    t.match(
      await server.inject(`/${path}`),
      { statusCode: 200, headers: { 'x-content-type-options': 'nosniff' } },
      path
    )
  }
  for (const name of readdirSync('web').filter(name => name.startsWith('demo') && name.endsWith('.js'))) {
    const { body } = await server.inject(`/demo/${name}`)
    t.equal(body, readFileSync(`web/${name}`, 'utf8'), name)
    for (const [, imported = ''] of body.matchAll(/from '\.\/([^']+)'/g)) {
      t.equal((await server.inject(`/demo/${imported}`)).statusCode, 200, `${name} imports ${imported}`)
    }
  }
})

t.test('bug: a page of another origin could not import the client from a gateway', async t => {
  const server = Fastify()
  t.teardown(() => server.close())
  await server.register(pageRoutes(new URL('../../dist/web/', import.meta.url)))
  const { headers } = await server.inject('/demo/countersign-client.js')
  t.match(headers, { 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' })
  const demo = await server.inject('/demo/demo.js')
  t.equal(demo.headers['access-control-allow-origin'], undefined, 'the other files stay closed')
})
