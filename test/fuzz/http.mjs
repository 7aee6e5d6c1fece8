import { Agent } from 'node:http'
import { send } from './http-client.mjs'

/** Valid HTTP with wrong paths, queries, headers and JSON, mostly with a token that may do everything. */

const lanes = 6
const answerMs = 30_000

const calls = [
  ['GET', '/livez'],
  ['GET', '/readyz'],
  ['GET', '/metrics'],
  ['GET', '/openapi.json'],
  ['GET', '/asyncapi.json'],
  ['POST', '/v1/admin/clients', { clientId: 'a', subscribe: ['a*'], publish: [], attributes: { team: 'blue' } }],
  ['GET', '/v1/admin/clients?limit=2&after=a'],
  ['GET', '/v1/admin/clients/a'],
  ['PATCH', '/v1/admin/clients/a', { status: 'suspended', services: ['s*'] }],
  ['POST', '/v1/admin/clients/a/keys', { overlap: 60, force: true }],
  ['DELETE', '/v1/admin/clients/a/keys/key_1'],
  ['DELETE', '/v1/admin/clients/a'],
  ['POST', '/v1/admin/licenses', { serviceId: 'svc', key: 'k', maxHwids: 2, expiresAt: '2030-01-01T00:00:00Z' }],
  ['GET', '/v1/admin/licenses?serviceId=svc&limit=2'],
  ['PUT', '/v1/admin/licenses/lic_1/hwids/a%20b', { banned: true }],
  ['DELETE', '/v1/admin/licenses/lic_1/hwids'],
  ['GET', '/v1/admin/sessions?limit=2&clientId=fuzz'],
  ['DELETE', '/v1/admin/sessions/aaaaaaaaaaaaaaaaaaaaaaaa'],
  ['GET', '/v1/admin/channels/c.1/presence'],
  ['GET', '/v1/sessions?clientId=a&limit=2&after=b'],
  ['POST', '/v1/admin/tokens', { name: 'n', scopes: ['tickets'], clients: ['a*'], services: ['*'] }],
  ['GET', '/v1/admin/audit?limit=1'],
  ['POST', '/v1/admin/imports', {}],
  ['POST', '/v1/tickets', { clientId: 'a', ttl: 30, subscribe: ['a'], attributes: { a: 'b' } }],
  ['POST', '/v1/publish', { channel: 'c.1', data: { a: [1, null, 'x'] }, idempotencyKey: 'k' }]
]
const headers = [
  ['content-type', 'text/plain'],
  ['content-type', 'application/json; charset=utf-16'],
  ['content-encoding', 'gzip'],
  ['authorization', 'Bearer wrong'],
  ['authorization', 'Basic eDp5'],
  ['origin', 'https://example.com'],
  ['sec-fetch-site', 'cross-site'],
  ['x-forwarded-for', 'unknown, [2001:db8::1]:4711'],
  ['accept', 'text/html'],
  ['expect', 'something'],
  ['if-none-match', '*']
]

/** A path with a few odd characters, still one that node:http accepts. */
function changePath({ random, below, pick }, path) {
  if (random() < 0.6) return path
  const odd = ['%00', '%2f', '%zz', '..', '//', ';', '?a=b', '&limit=-1', '&limit=1e3', '%F0%9F%98%80', 'x'.repeat(300)]
  const at = below(path.length)
  return path.slice(0, at) + pick(odd) + path.slice(at + below(2))
}

export async function fuzzHttp({ gateway, mutator, report, progress, count }) {
  const agent = new Agent({ keepAlive: true, maxSockets: lanes })
  const authorization = `Bearer ${gateway.token()}`
  let left = count
  async function lane() {
    while (left-- > 0 && !progress.isOver()) {
      const [method, plainPath, message] = mutator.pick(calls)
      const path = changePath(mutator, plainPath)
      const body = message === undefined ? undefined : mutator.bytesOf(message)
      const fields = { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }
      if (mutator.random() < 0.1) Object.assign(fields, Object.fromEntries([mutator.pick(headers)]))
      const { status, text } = await send(gateway.url, { agent, method, path, headers: fields, body, answerMs })
      if (status >= 500) report(`${method} ${path} ${body ?? ''}`, `${status} ${text}`)
      progress.done++
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  agent.destroy()
}
