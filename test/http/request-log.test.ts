import { Writable } from 'node:stream'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { Config } from '../../src/config/load.js'
import { loggerOptions } from '../../src/log/logger-options.js'
import { Redactor } from '../../src/log/redactor.js'
import { loggedPerMinute } from '../../src/log/repeated-events.js'
import { type Gateway, startGateway, testAdminToken } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { metric } from './raw-socket.js'

/** Log lines about requests (docs/operating.md, Logs). */

type Line = { readonly msg: string; readonly code?: string; readonly reason?: string; readonly suppressed?: number }

async function startLogged(t: Test, config: Partial<Config> = {}): Promise<{ gateway: Gateway; lines: Line[] }> {
  const lines: Line[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)))
      done()
    }
  })
  const gateway = await startGateway(t, { logger: pino(loggerOptions('info', new Redactor([])), stream), config })
  lines.length = 0
  return { gateway, lines }
}

t.test('bug: health, metrics and refused requests wrote a line each', async t => {
  const { gateway, lines } = await startLogged(t)
  for (let i = 0; i < 50; i++) {
    for (const path of ['/livez', '/readyz', '/metrics', '/%6civez', '/livez?a=b']) await fetch(gateway.url + path)
  }
  t.same(lines, [])
  for (let i = 0; i < 50; i++) {
    await fetch(`${gateway.url}/nothing/${i}`)
    await fetch(`${gateway.url}/v1/admin/clients`)
  }
  await until('the last is logged', () => lines.length === 2 * loggedPerMinute)
  const [notFound, unauthorized] = lines
  t.match(notFound, { msg: 'request refused', code: 'NOT_FOUND', req: { method: 'GET', route: 'none' } })
  t.match(unauthorized, { msg: 'request refused', code: 'UNAUTHORIZED', reason: /needs a bearer token/ })
  gateway.clock.advance(60_000)
  await gateway.app.tick()
  t.same(
    lines.slice(2 * loggedPerMinute).map(({ reason, suppressed }) => [reason, suppressed]),
    [
      ['NOT_FOUND', 50 - loggedPerMinute],
      ['UNAUTHORIZED', 50 - loggedPerMinute]
    ]
  )
  t.equal(await metric(gateway, 'countersign_http_requests_refused_total{code="NOT_FOUND"}'), 50)
})

t.test('logs a request that is served once', async t => {
  const { gateway, lines } = await startLogged(t)
  await fetch(`${gateway.url}/v1/admin/clients`, { headers: { authorization: `Bearer ${testAdminToken}` } })
  await until('it is logged', () => lines.length > 0)
  t.match(lines, [
    { msg: 'request completed', req: { method: 'GET', route: '/v1/admin/clients' }, res: { statusCode: 200 } }
  ])
  t.notMatch(JSON.stringify(lines), testAdminToken)
})

t.test('bug: a hwid that is not bound was logged with the reason of the refusal', async t => {
  const { gateway, lines } = await startLogged(t)
  const headers = { authorization: `Bearer ${testAdminToken}` }
  const { body: license } = await gateway.admin('POST', '/licenses', { serviceId: 's' })
  const hwids = `${gateway.url}/v1/admin/licenses/${license.licenseId}`
  for (const path of [
    'hwids/HWIDSECRET',
    'Hwids/HWIDSECRET',
    'hwids//HWIDSECRET',
    '%68wids/HWIDSECRET',
    'hwids%2FHWIDSECRET'
  ]) {
    t.equal((await fetch(`${hwids}/${path}`, { method: 'DELETE', headers })).status, 404, path)
  }
  t.equal((await fetch(`${gateway.url}/v1/admin/licenses/HWIDSECRET`, { headers })).status, 404)
  await until('all are logged', () => lines.filter(({ msg }) => msg === 'request refused').length === 6)
  t.notMatch(JSON.stringify(lines), 'HWIDSECRET')
})

t.test('bug: exchanges that do not verify wrote a line each', async t => {
  const { gateway, lines } = await startLogged(t)
  const { connectBridge } = await import('../helper/bridge-wire.js')
  const wire = await connectBridge(gateway.url)
  wire.authenticate(await gateway.createClient())
  await wire.next('welcome')
  lines.length = 0
  for (let i = 0; i < 50; i++) t.equal((await wire.post('x')).status, 400)
  t.equal(lines.filter(({ msg }) => msg === 'exchange refused').length, loggedPerMinute)
  t.equal(lines.length, loggedPerMinute)
  t.equal(await metric(gateway, 'countersign_http_requests_refused_total{code="PROTOCOL_ERROR"}'), 50)
})
