import t from 'tap'
import { parseJsonBody } from '../../src/http/json-body.js'
import { startGateway, testAdminToken } from '../helper/gateway.js'

const parse = (body: string | Uint8Array) => parseJsonBody(Buffer.from(body as string), 4)

t.test('refuses faults that JSON.parse accepts silently', async t => {
  t.equal(parse(''), undefined)
  t.same(parse(' {\n"a":[1,{"b":null}],\t"c":"d"}\r\n'), { a: [1, { b: null }], c: 'd' })
  t.same(parse('{"a":{"x":1},"b":{"x":1},"c":["x","x"]}'), { a: { x: 1 }, b: { x: 1 }, c: ['x', 'x'] })
  t.same(parse('[[[[1]]]]'), [[[[1]]]])
  for (const [body, message] of [
    ['{"a":1,"a":2}', /the member "a" is duplicate/],
    ['{"a":1,"\\u0061":2}', /the member "a" is duplicate/],
    ['[{"b":{"a":[],"c":1,"a":2}}]', /the member "a" is duplicate/],
    [`{"${'n'.repeat(500)}":1,"${'n'.repeat(500)}":2}`, /the member "n{64}" is duplicate/],
    ['[[[[[1]]]]]', /nested deeper than 4/],
    ['{"a":{"a":{"a":{"a":{}}}}}', /nested deeper than 4/],
    ['{"a":1e400}', /not finite/],
    ['{"a":"\\ud800"}', /surrogate/],
    ['{"\\udc00":1}', /surrogate/],
    ['{"a":"\n"}', /line break/],
    ['{"a":1', /not valid JSON/],
    ['nonsense', /not valid JSON/],
    ['\ufeff{}', /byte order mark/]
  ] as const) {
    t.throws(() => parse(body), { code: 'BAD_REQUEST', message }, body.slice(0, 40))
  }
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc0, 0x80, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22]
  ]) {
    t.throws(() => parse(Uint8Array.from(bytes)), { code: 'BAD_REQUEST', message: /UTF-8/ })
  }
})

t.test('bug: a body of another charset was read as UTF-8', async t => {
  const { app } = await startGateway(t)
  const send = (contentType: string) =>
    app.server.inject({
      ...{ method: 'POST', url: '/v1/publish', payload: '{}' },
      headers: { 'content-type': contentType, authorization: `Bearer ${testAdminToken}` }
    })
  for (const charset of ['utf-16', '"UTF-16LE"', 'iso-8859-1', 'latin1']) {
    const answer = await send(`application/json; charset=${charset}`)
    t.equal(answer.statusCode, 415, charset)
    t.match(answer.json(), { code: 'UNSUPPORTED_MEDIA_TYPE', message: /charset .*: send UTF-8/ })
  }
  for (const type of ['application/json', 'application/json; charset=utf-8', 'application/json;charset="UTF-8"; x=y']) {
    t.equal((await send(type)).statusCode, 400, `${type}: read, and without a channel`)
  }
})

t.test('bug: deeply nested data was answered with 500', async t => {
  const gateway = await startGateway(t)
  const post = async (path: string, body: string) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${testAdminToken}` }
    const answer = await fetch(gateway.url + path, { method: 'POST', headers, body })
    return [answer.status, await answer.json()] as const
  }
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
  for (const path of ['/v1/publish', '/v1/tickets', '/v1/admin/clients']) {
    const [status, { message }] = await post(path, `{"channel":"a","data":${nested(31_000)}}`)
    t.equal(status, 400, path)
    t.match(message, /nested deeper than 32/)
  }
  t.equal((await post('/v1/publish', `{"channel":"a","data":${nested(31)}}`))[0], 200, 'as deep as in a frame')
  t.equal((await post('/v1/publish', `{"channel":"a","data":${nested(32)}}`))[0], 400)
})

t.test('bug: a duplicate member of a body was read as its last value', async t => {
  const gateway = await startGateway(t)
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${testAdminToken}` }
  const body = '{"clientId":"a","publish":[],"publish":["*"]}'
  const answer = await fetch(`${gateway.url}/v1/admin/clients`, { method: 'POST', headers, body })
  t.match([answer.status, await answer.json()], [400, { code: 'BAD_REQUEST', message: /"publish" is duplicate/ }])
  t.equal((await gateway.admin('GET', '/clients/a')).status, 404)
})

t.test('bug: __proto__ in data was refused on HTTP and accepted on a WebSocket', async t => {
  const gateway = await startGateway(t)
  const wire = await gateway.session(await gateway.createClient({ subscribe: ['*'] }))
  await wire.ask({ type: 'subscribe', channel: 'a' })
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${testAdminToken}` }
  const body = '{"channel":"a","data":{"__proto__":{"admin":true},"constructor":{"prototype":1}}}'
  t.equal((await fetch(`${gateway.url}/v1/publish`, { method: 'POST', headers, body })).status, 200)
  t.match(await wire.nextText(), /"data":\{"__proto__":\{"admin":true\},"constructor":\{"prototype":1\}\}/)
  t.equal(({} as { admin?: boolean }).admin, undefined)
})

t.test('bug: a refused body names the member that does not belong to it', async t => {
  const { admin } = await startGateway(t)
  t.match(await admin('POST', '/clients', { clientId: 'a', colour: 1 }), {
    status: 400,
    body: { code: 'BAD_REQUEST', message: 'body must NOT have additional properties: "colour"' }
  })
  const long = await admin('POST', '/clients', { clientId: 'a', ['x'.repeat(1000)]: 1 })
  t.match(long.body.message, /: "x{64}"$/, 'its start')
})
