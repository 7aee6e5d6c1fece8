import { readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import t from 'tap'
import { apiErrors } from '../../src/errors.js'
import { openRegistry } from '../../src/registry/index.js'
import { type StoreOutcome, StoreUnavailable } from '../../src/store/store.js'
import { type Body, startGateway, testMasterKey } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'
import { exerciseBackup } from './backup-operations.js'
import { callsOf, createChecker, documentOf, operationsOf, routesOf } from './document.js'

/** The OpenAPI document matches the HTTP API. */

const checks = { store: 'ok', identity: 'ok', channels: 'ok', drain: 'ok' }

/** An audit entry as the store has it: what is in `sealed` is not in `detail`. */
function storedFormOf(entry: Body): Body {
  if (entry.sealed === undefined) return entry
  const { hwid: _hwid, attributes: _attributes, ...detail } = entry.detail
  return { ...entry, detail }
}

t.test('serves a valid OpenAPI 3.1 document without a token', async t => {
  const gateway = await startGateway(t)
  const answer = await fetch(`${gateway.url}/openapi.json`)
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
  const document: Body = await answer.json()
  t.equal(document.openapi, '3.1.0')
  t.equal(document.info.version, JSON.parse(readFileSync('package.json', 'utf8')).version)
  t.same(document.servers, [{ url: '/' }])
  t.same(await new Validator().validate(structuredClone(document)), { valid: true })

  const operations = operationsOf(document)
  const ids = operations.map(({ operationId }) => operationId)
  t.equal(new Set(ids).size, ids.length, 'operation ids are unique')
  const tags = document.tags.map(({ name }: Body) => name)
  for (const { operationId, summary, tags: own, security, responses } of operations) {
    t.match({ summary, security }, { summary: /./, security: Array }, operationId)
    t.ok(own.length === 1 && tags.includes(own[0]), `${operationId} has one described tag`)
    for (const [status, { description }] of Object.entries<Body>(responses)) {
      t.not(description, 'Default Response', `${operationId} describes ${status}`)
    }
  }
  const used = new Set([...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name))
  t.same([...used].sort(), Object.keys(document.components.schemas).sort(), 'no dangling reference, no unused schema')
  for (const [code, { status, message }] of Object.entries(apiErrors)) {
    t.ok(document.info.description.includes(`| ${status} | \`${code}\` | ${message} |`), code)
  }
})

t.test('the document has every route and no other', async t => {
  const gateway = await startGateway(t)
  const wanted = routesOf(gateway).filter(call => /^[A-Z]+ \/(v1\/|livez|readyz|metrics)/.test(call))
  const document = await documentOf(gateway)
  // PROTOCOL.md specifies the signed frames; the description names their paths.
  const isWire = (call: string) => call === 'GET /v1/ws' || call.startsWith('POST /v1/bridge/')
  t.same(callsOf(document).sort(), wanted.filter(call => !isWire(call)).sort())
  t.equal(wanted.filter(isWire).length, 4, 'the socket and the three routes of the bridge')
  t.match(document.info.description, /`\/v1\/bridge`/)
  t.match(document.info.description, /`GET \/v1\/ws`.*\s.*PROTOCOL\.md/)
})

t.test('docs/admin-api.md lists exactly the operations of the document', async t => {
  const document = await documentOf(await startGateway(t))
  const rows = [...readFileSync('docs/admin-api.md', 'utf8').matchAll(/^\| (`[A-Z]+ \/[^|]*) \|/gm)]
  const written = rows
    .flatMap(([, cell = '']) => [...cell.matchAll(/`([A-Z]+) ([^`]+)`/g)])
    .map(
      ([, method, path = '']) => `${method} ${/^\/(v1|livez|readyz|metrics)/.test(path) ? path : `/v1/admin${path}`}`
    )
  t.same(written.sort(), callsOf(document).sort())
})

t.test('the required scopes are as documented', async t => {
  const gateway = await startGateway(t)
  const document = await documentOf(gateway)
  const tokens = new Map<string, string>()
  for (const scope of ['admin', 'read', 'tickets', 'publish', 'calls']) {
    tokens.set(
      scope,
      (await gateway.admin('POST', '/tokens', { name: scope, scopes: [scope], clients: ['*'] })).body.token
    )
  }
  for (const call of callsOf(document)) {
    const [method = '', path = ''] = call.split(' ')
    const { security, responses } = document.paths[path][method.toLowerCase()]
    const ask = async (token?: string) =>
      (
        await fetch(gateway.url + path.replace(/\{\w+\}/g, 'none'), {
          method,
          headers: token === undefined ? {} : { authorization: `Bearer ${token}` }
        })
      ).status
    if (security.length === 0) {
      t.equal(await ask(), 200, call)
      continue
    }
    const allowed = security.flatMap(({ bearer }: { bearer: string[] }) => bearer)
    t.equal(await ask(), 401, call)
    for (const [scope, token] of tokens) {
      const status = await ask(token)
      t.equal(status !== 403, allowed.includes(scope), `${call} with ${scope}: ${status}`)
      t.ok(status in responses, `${call} documents ${status}`)
    }
  }
})

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`every operation responds completely and as documented: ${kind}`, async t => {
    const { store } = await openStore(t, Date.now)
    const gateway = await startGateway(t, { store, config: { presence: ['news'] } })
    const { clock } = gateway
    const document = await documentOf(gateway)
    const { call, seen } = createChecker(t, gateway, document)
    const admin = (method: string, path: string, body?: unknown) => call(method, `/v1/admin${path}`, body)
    const at = (ms = 0) => new Date(clock.now() + ms).toISOString()
    // Names that a careless serializer would lose.
    const attributes = { team: 'blue', 'two\nlines': 'x\ny', toString: '"\u2028', 'ключ 🗝': '🙂' }

    const capabilities = {
      subscribe: ['match:*'],
      publish: ['match:1'],
      services: ['svc'],
      call: ['a/b'],
      presence: ['x']
    }
    const wanted = { clientId: 'game-1', ...capabilities, attributes }
    const { body: made, status } = await admin('POST', '/clients', wanted)
    t.equal(status, 201)
    const { keyId, secret } = made
    const client = {
      ...{ ...wanted, status: 'active', createdAt: at(), updatedAt: at() },
      keys: [{ keyId, createdAt: at() }]
    }
    t.same(made, { ...client, keyId, secret }, 'a complete client')
    t.same((await admin('GET', '/clients/game-1')).body, client)
    t.equal((await admin('POST', '/clients', wanted)).status, 409)
    t.equal((await admin('POST', '/clients', { nonsense: 1 })).status, 400)
    const patched = await admin('PATCH', '/clients/game-1', { services: ['*'] })
    t.same(patched.body, { ...client, services: ['*'] })
    await admin('POST', '/clients', {})
    const page = await admin('GET', '/clients?limit=1')
    t.same(Object.keys(page.body).sort(), ['items', 'next'])
    const { body: rotated } = await admin('POST', '/clients/game-1/keys', { overlap: 60 })
    const second = { keyId: rotated.keyId, createdAt: at() }
    t.same(rotated, { clientId: 'game-1', ...rotated, previousExpiresAt: at(60_000) })
    t.same(Object.keys(rotated).sort(), ['clientId', 'keyId', 'previousExpiresAt', 'secret'])
    t.equal((await admin('POST', '/clients/game-1/keys', { overlap: 60 })).status, 409)

    const wire = await gateway.wire()
    const credential = { clientId: 'game-1', keyId: rotated.keyId, secret: rotated.secret }
    wire.raw(wire.authenticateFrame(credential, (message: object) => ({ ...message, attributes: { placeId: '7' } })))
    wire.seq = 2
    const { sessionId } = await wire.next('welcome')
    const { body: on } = await admin('GET', '/sessions?clientId=game-1')
    const { instanceId, remoteAddress, lastSeenAt, expiresAt, counts } = on.items[0]
    t.same(
      on,
      {
        items: [
          {
            ...{ sessionId, clientId: 'game-1', keyId: rotated.keyId, transport: 'ws', openedAt: at() },
            ...{ instanceId, remoteAddress, lastSeenAt, expiresAt, counts, attributes: { placeId: '7' } }
          }
        ]
      },
      'a complete session'
    )
    const { body: callable } = await call('GET', '/v1/sessions?clientId=game-1')
    const listed = { sessionId, clientId: 'game-1', transport: 'ws', openedAt: at(), lastSeenAt }
    t.same(callable, { items: [{ ...listed, attributes: { placeId: '7' } }] }, 'a complete listed session')
    t.match([instanceId, remoteAddress, lastSeenAt, expiresAt], [/^i_/, '127.0.0.1', /Z$/, /Z$/])

    const bounds = { maxHwids: 2, maxSessions: 3, startsAt: at(-1000), expiresAt: at(60_000), attributes }
    const { body: license } = await admin('POST', '/licenses', { serviceId: 'svc', key: 'KEY', ...bounds })
    const { licenseId, keyHash } = license
    t.match(await wire.ask({ type: 'validate', serviceId: 'svc', key: 'KEY', hwid: 'h/1' }), { code: 'VALID' })
    const whole = {
      ...{ licenseId, serviceId: 'svc', keyHash, status: 'active', ...bounds, createdAt: at(), updatedAt: at() },
      ...{ hwids: [], bannedHwids: [] }
    }
    t.same(license, { ...whole, key: 'KEY' }, 'a complete license')
    const { body: banned } = await admin('PUT', `/licenses/${licenseId}/hwids/h2`, { banned: true })
    t.same(banned, { ...whole, hwids: [{ hwid: 'h/1', boundAt: at() }], bannedHwids: ['h2'] })
    t.same((await admin('GET', `/licenses/${licenseId}`)).body, banned)
    t.same((await admin('GET', '/licenses')).body, { items: [banned] })
    const { startsAt: _, maxSessions: __, ...bare } = banned
    const cleared = await admin('PATCH', `/licenses/${licenseId}`, { startsAt: null, maxSessions: null })
    t.same(cleared.body, bare)
    t.equal((await admin('DELETE', `/licenses/${licenseId}/hwids/h%2F1`)).status, 204)
    t.equal((await admin('DELETE', `/licenses/${licenseId}/hwids`)).status, 204)
    t.equal((await admin('DELETE', `/licenses/${licenseId}/hwids/h2`)).status, 404)
    t.equal((await admin('DELETE', `/licenses/${licenseId}`)).status, 204)

    const { body: started } = await admin('POST', '/imports')
    t.same(Object.keys(started), ['importId'])
    const path = `/imports/${started.importId}`
    const chunk = (...keys: string[]) => ({ licenses: keys.map(key => ({ serviceId: 'svc', key })) })
    t.same(await admin('POST', `${path}/licenses`, chunk('a', 'b')), { status: 200, body: { accepted: 2 } })
    const refused = await admin('POST', `${path}/licenses`, chunk('c', 'a'))
    const message = 'the service has a license with this key already'
    t.same(refused, { status: 409, body: { code: 'CONFLICT', message, index: 1 } }, 'a complete error')
    t.same(await admin('POST', `${path}/commit`), { status: 200, body: { licenses: 2 } })
    t.equal((await admin('POST', `${path}/commit`)).status, 409)
    t.equal((await admin('DELETE', `/imports/${(await admin('POST', '/imports')).body.importId}`)).status, 204)

    const channels = { subscribe: ['news'], publish: ['say'], presence: ['news'] }
    const lists = { clients: ['web-*'], ...channels, services: ['svc'], call: ['game/*'] }
    const order = { name: 'shop "1"', scopes: ['tickets', 'read'], ...lists, expiresAt: at(60_000) }
    const { body: token } = await admin('POST', '/tokens', order)
    const record = { tokenId: token.tokenId, ...order, createdAt: at() }
    t.same(token, { ...record, token: token.token }, 'a complete token')
    t.same((await admin('GET', '/tokens')).body, { items: [record] })
    const { body: ticket } = await call('POST', '/v1/tickets', { clientId: 'web-1', services: ['svc'] }, token.token)
    t.same(ticket, { clientId: 'web-1', keyId: ticket.keyId, secret: ticket.secret, expiresAt: at(300_000) })
    t.equal((await call('POST', '/v1/tickets', { clientId: 'other' }, token.token)).status, 403)
    const publication = { channel: 'say', data: { a: [1, null] }, idempotencyKey: 'k' }
    const { body: published } = await call('POST', '/v1/publish', publication)
    t.same(published, { offset: 1, epoch: published.epoch }, 'a publication')
    t.same((await call('POST', '/v1/publish', publication)).body, { ...published, duplicate: true })
    const receiver = await gateway.session(await gateway.createClient({ clientId: 'called' }))
    const calling = call('POST', '/v1/calls', { to: { clientId: 'called' }, method: 'state', data: [1] })
    const { callId } = await receiver.next('call')
    await receiver.ask({ type: 'callResult', callId, data: { ok: [true, null] } })
    const { body: called } = await calling
    t.same(called, { sessionId: called.sessionId, data: { ok: [true, null] } }, 'an answer')
    t.equal((await call('POST', '/v1/calls', { to: { clientId: 'nobody' }, method: 'state' })).status, 404)
    t.same(await admin('GET', '/channels/news/presence'), {
      status: 200,
      body: { channel: 'news', count: 0, items: [] }
    })
    t.equal((await admin('GET', '/channels/other/presence')).status, 404)
    t.equal((await call('GET', '/v1/admin/clients', undefined, 'wrong')).status, 401)

    t.match(await admin('GET', '/top'), { status: 200, body: { items: [] } })
    t.equal((await admin('DELETE', `/sessions/${sessionId}`)).status, 204)
    t.equal((await admin('DELETE', `/sessions/${'x'.repeat(24)}`)).status, 404)
    t.equal((await admin('DELETE', `/clients/game-1/keys/${keyId}`)).status, 204)
    t.same((await admin('GET', '/clients/game-1')).body.keys, [
      { keyId, createdAt: at(), expiresAt: at(60_000), revokedAt: at() },
      second
    ])

    const { body: audit } = await admin('GET', '/audit')
    const rows = await store.durable.auditAfter(0, 100)
    t.same(
      audit.items.map(storedFormOf),
      rows.map(({ text }) => JSON.parse(text)),
      'complete entries: their hashes can be checked'
    )
    t.ok(
      audit.items.some(({ detail, sealed }: Body) => detail.hwid === 'h/1' && typeof sealed === 'string'),
      'operators see the hwid that is sealed in the store'
    )
    t.ok(
      audit.items.some(({ detail }: Body) => Array.isArray(detail.scopes)),
      'with details of every type'
    )
    t.same((await admin('GET', '/audit/verify')).body, { entries: audit.items.length })
    t.same((await admin('POST', '/keys/reencrypt')).body, { resealed: 0 })
    t.match((await admin('POST', '/keys/reencrypt?limit=1')).body, { resealed: 0, next: /./ })
    t.equal((await admin('DELETE', `/tokens/${token.tokenId}`)).status, 204)
    t.equal((await admin('DELETE', '/clients/game-1')).status, 204)
    t.same((await call('GET', '/livez')).body, { status: 'ok' })
    t.same((await call('GET', '/readyz')).body, { status: 'ok', checks })
    t.match((await call('GET', '/metrics')).body, /^countersign_sessions \d/m)
    for (const name of await exerciseBackup(t, openStore)) seen.add(name)
    t.same([...seen].sort(), callsOf(document).sort(), 'every operation was called')
  })
}

t.test('a store that is unavailable gives 503 with the outcome, as documented', async t => {
  const { store } = await stores.embedded(t, Date.now)
  await openRegistry(store, [testMasterKey], Date.now)
  let outcome: StoreOutcome = 'unknown'
  const gone = async () => {
    throw new StoreUnavailable(new Error('gone'), outcome)
  }
  const unavailable = { ...store, ping: gone, durable: { ...store.durable, list: gone } }
  const gateway = await startGateway(t, { store: unavailable })
  const { call } = createChecker(t, gateway, await documentOf(gateway))
  t.same(await call('GET', '/v1/admin/clients'), {
    status: 503,
    body: { code: 'UNAVAILABLE', message: apiErrors.UNAVAILABLE.message, outcome: 'unknown' }
  })
  outcome = 'unsent'
  t.match(await call('GET', '/v1/admin/clients'), { status: 503, body: { outcome: 'unsent' } })
  t.same(await call('GET', '/readyz'), {
    status: 503,
    body: { status: 'unavailable', checks: { ...checks, store: 'gone' } }
  })
})

t.test('bug: an attribute whose name has a line break must be a string, too', async t => {
  const { admin } = await startGateway(t)
  const refused = await admin('POST', '/clients', { attributes: { 'a\nb': 5 } })
  t.match(refused, { status: 400, body: { code: 'BAD_REQUEST', message: /must be string/ } })
})
