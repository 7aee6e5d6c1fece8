import t from 'tap'
import { startGateway, testAdminToken } from '../helper/gateway.js'

const json = { 'content-type': 'application/json' }
const bearer = { authorization: `Bearer ${testAdminToken}` }

t.test('rejects malformed requests, which change nothing', async t => {
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
    { serviceId: 's', attributes: { a: '\udc00' } },
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
  t.equal(bodiless.status, 404, 'a content type without a body is accepted if no body is expected')
  for (const type of ['text/csv', 'text/plain', 'application/x-www-form-urlencoded']) {
    t.equal((await post('a=b', { 'content-type': type })).status, 415, type)
  }
  const large = await post(JSON.stringify({ clientId: 'a', attributes: { a: 'x'.repeat(70_000) } }), json)
  t.match({ status: large.status, body: await large.json() }, { status: 413, body: { code: 'PAYLOAD_TOO_LARGE' } })
  t.same((await admin('GET', '/clients')).body.items, [])
})

t.test('bug: a malformed path gets a normal error that does not repeat it', async t => {
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
