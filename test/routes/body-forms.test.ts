import t from 'tap'
import { startGateway, testAdminToken } from '../helper/gateway.js'
import { head, openSocket } from '../http/raw-socket.js'
import { documentOf } from './document.js'

/** The form of request bodies, on every route that has one. */

const refused: Record<string, readonly [headers: Readonly<Record<string, string>>, message: RegExp]> = {
  gzip: [{ 'content-encoding': 'gzip' }, /^content-encoding gzip: send the body uncompressed$/],
  'two encodings': [{ 'content-encoding': 'identity, br' }, /^content-encoding identity, br:/],
  'an empty encoding': [{ 'content-encoding': '' }, /^content-encoding \(empty\):/],
  'a long encoding': [{ 'content-encoding': 'x'.repeat(500) }, /^content-encoding x{64}: send/],
  'another charset': [{ 'content-type': 'application/json; charset=utf-16' }, /^charset utf-16: send UTF-8$/],
  'another charset behind UTF-8': [
    { 'content-type': 'application/json; charset=utf-8; charset=utf-16' },
    /^charset utf-16: send UTF-8$/
  ],
  'another charset before UTF-8': [
    { 'content-type': 'application/json; charset="latin1";charset=utf-8' },
    /^charset latin1:/
  ],
  'the charset twice': [
    { 'content-type': 'application/json; charset=utf-8; Charset=UTF-8' },
    /^charset utf-8 UTF-8: name it once$/
  ],
  'an empty charset': [{ 'content-type': 'application/json; charset=' }, /^charset \(empty\): send UTF-8$/],
  'a part of UTF-8': [{ 'content-type': 'application/json; charset=us-ascii' }, /^charset us-ascii: send UTF-8$/],
  'another type': [{ 'content-type': 'text/plain' }, /application\/json/]
}

const accepted: Record<string, Readonly<Record<string, string>>> = {
  identity: { 'content-encoding': 'Identity' },
  'UTF-8': { 'content-type': 'application/json;charset="UTF-8"' }
}

t.test('bug: an encoded body, or one with two charsets, was read as plain UTF-8', async t => {
  const gateway = await startGateway(t)
  const document = await documentOf(gateway)
  const routes = Object.entries<object>(document.paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, operation]) =>
      'requestBody' in operation ? [{ method: method.toUpperCase(), path }] : []
    )
  )
  t.ok(routes.length >= 11, `${routes.length} routes have a body`)
  for (const path of ['/v1/admin/clients', '/v1/admin/imports/{importId}/licenses', '/v1/publish', '/v1/tickets']) {
    t.ok(
      routes.some(each => each.path === path),
      path
    )
  }
  for (const { method, path } of routes) {
    const send = async (headers: Readonly<Record<string, string>>) => {
      const answer = await gateway.app.server.inject({
        ...{ method: method as 'POST', url: path.replaceAll(/\{\w+\}/g, 'x'), payload: '{"no":"body"}' },
        headers: { 'content-type': 'application/json', authorization: `Bearer ${testAdminToken}`, ...headers }
      })
      return { status: answer.statusCode, ...answer.json() }
    }
    for (const [name, [headers, message]] of Object.entries(refused)) {
      t.match(
        await send(headers),
        { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', message },
        `${method} ${path}: ${name}`
      )
    }
    for (const [name, headers] of Object.entries(accepted)) {
      t.not((await send(headers)).status, 415, `${method} ${path}: ${name}`)
    }
  }
})

t.test('bug: of two content types only the first one counted', async t => {
  const gateway = await startGateway(t)
  const socket = await openSocket(t, gateway)
  const types = { 'content-type': 'application/json', 'Content-Type': 'application/json; charset=utf-16' }
  const authorization = `Bearer ${testAdminToken}`
  socket.send(`${head('POST /v1/admin/clients', { ...types, authorization, 'content-length': 2 })}{}`)
  t.match(await socket.until(/\}$/), /^HTTP\/1.1 415 [\s\S]*sent twice/)
})

t.test('the bridge refuses every content encoding, with the body of PROTOCOL §4.4', async t => {
  const { app } = await startGateway(t)
  const id = 'x'.repeat(32)
  for (const path of ['challenge', 'sessions', `sessions/${id}/exchange`]) {
    for (const encoding of ['gzip', 'br', 'identity, gzip', '']) {
      const headers = { 'content-encoding': encoding }
      const answer = await app.server.inject({ method: 'POST', url: `/v1/bridge/${path}`, payload: 'x', headers })
      t.equal(answer.statusCode, 415, `${path}: ${encoding}`)
      t.match(answer.json(), { type: 'error', code: 'UNSUPPORTED_MEDIA_TYPE', message: /content-encoding/ })
    }
  }
})
