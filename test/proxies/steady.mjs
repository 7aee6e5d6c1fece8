import assert from 'node:assert/strict'
import { BlockList } from 'node:net'
import { networkInterfaces } from 'node:os'
import { loopback, until } from '../helper/processes.mjs'
import { assertSpoken, assertSpread } from './bridge-checks.mjs'
import { askHttp2, connectClient, connectFrom, get, overHttp2 } from './clients.mjs'
import {
  admin,
  assertValid,
  authorization,
  check,
  closeClients,
  cluster,
  connectSpread,
  keep,
  learnInstance,
  makeParties,
  sessionOf,
  wsUrl
} from './context.mjs'
import { excludedAddress } from './proxies.mjs'

/** Checks through one proxy while both gateways run. */

const revokedMs = 2_000

/** An address of this machine that is not private, if it has one. Connections to it come from it. */
function publicAddress() {
  const notPublic = new BlockList()
  for (const [net, bits] of Object.entries({
    '10.0.0.0': 8,
    '127.0.0.0': 8,
    '169.254.0.0': 16,
    '172.16.0.0': 12,
    '192.168.0.0': 16
  }))
    notPublic.addSubnet(net, bits)
  return Object.values(networkInterfaces())
    .flat()
    .find(({ family, address }) => family === 'IPv4' && !notPublic.check(address))?.address
}

/** Ways to write the operators' paths. The token is valid, so only the path can be the reason of a refusal. */
const guardedTargets = [
  '/metrics',
  '/metrics/',
  '/metrics?x=1',
  '/metrics#x',
  '/metrics;x',
  '/%6detrics',
  '/METRICS',
  '//metrics',
  '/./metrics',
  '/x/../metrics',
  'https://localhost/metrics',
  '/v1/admin/sessions',
  '/v1/%61dmin/sessions',
  '/V1/Admin/sessions',
  '/v1//admin/sessions',
  '/v1/x/../admin/sessions'
]

async function assertGuarded(from) {
  for (const target of guardedTargets) {
    const headers = { authorization, 'x-forwarded-for': '10.0.0.1' }
    const { status, body } = await get(cluster.proxy.https, target, { ...from, headers })
    assert.ok([301, 308, 400, 404].includes(status), `${target}: ${status} ${body.slice(0, 100)}`)
  }
  assert.equal((await get(cluster.proxy.https, '/metrics', from)).status, 404)
  assert.equal((await get(cluster.proxy.https, '/v1/admin/sessions', from)).status, 404)
  assert.equal((await get(cluster.proxy.https, '/livez', from)).status, 200)
}

export async function checkSteady({ name, parties }) {
  const { clientId, credential, question } = parties
  for (const gateway of cluster.gateways) await learnInstance(gateway, parties)

  await check(`${name}: a WebSocket over TLS and HTTP/1.1, its handshake, a signed validate`, async () => {
    await assertValid(keep(await connectClient(wsUrl(), credential)), question)
  })

  await check(`${name}: /readyz and /livez over HTTP/1.1 and HTTP/2`, async () => {
    for (const path of ['/readyz', '/livez']) {
      const { status, version, body } = await get(cluster.proxy.https, path)
      assert.deepEqual([status, version, JSON.parse(body).status], [200, '1.1', 'ok'])
      const over2 = await overHttp2(cluster.proxy.https, session => askHttp2(session, { ':path': path }))
      assert.deepEqual([over2.status, JSON.parse(over2.body).status], [200, 'ok'])
    }
  })

  await check(`${name}: a WebSocket over HTTP/2, where the proxy offers it to browsers`, () =>
    overHttp2(cluster.proxy.https, async session => {
      if (session.remoteSettings.enableConnectProtocol !== true) return 'not offered: browsers use HTTP/1.1'
      const headers = { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'https', ':path': '/v1/ws' }
      const { status, body } = await askHttp2(session, {
        ...headers,
        'sec-websocket-version': '13',
        'sec-websocket-protocol': 'countersign.v1',
        origin: `https://localhost:${cluster.proxy.https}`
      })
      assert.equal(status, 200)
      assert.match(body, /"challenge"/)
      return undefined
    })
  )

  await check(`${name}: redirects plain HTTP to HTTPS`, async () => {
    const headers = { host: 'localhost' }
    const url = `http://localhost:${cluster.proxy.http}/livez`
    const { status } = await fetch(url, { redirect: 'manual', headers, signal: AbortSignal.timeout(10_000) })
    assert.equal(status, 308)
  })

  await check(`${name}: sessions are spread over both instances, and the same license is valid on each`, async () => {
    for (const held of await connectSpread(parties)) await assertValid(held[0], question)
  })
  closeClients()

  await check(`${name}: a key revoked on one instance ends the sessions on both within ${revokedMs} ms`, async () => {
    const other = await makeParties(`${clientId}-revoked`)
    const held = (await connectSpread(other)).flat()
    const began = Date.now()
    const path = `clients/${other.clientId}/keys/${other.credential.keyId}`
    assert.equal((await admin(cluster.gateways[0], 'DELETE', path)).status, 204)
    await until('all sessions have ended', revokedMs, () => held.every(({ stopped }) => stopped !== undefined))
    const took = Date.now() - began
    assert.deepEqual([...new Set(held.map(({ stopped }) => stopped))], ['SESSION_REVOKED'])
    return `${took} ms`
  })
  closeClients()

  await check(`${name}: a session has its client's address; X-Forwarded-For from outside is ignored`, async () => {
    for (const [address, headers] of [
      ['127.0.0.7', {}],
      ['127.0.0.7', { 'X-Forwarded-For': '203.0.113.66', Forwarded: 'for=203.0.113.66', 'X-Real-IP': '203.0.113.66' }],
      [loopback, { 'X-Forwarded-For': '203.0.113.66, 203.0.113.67' }]
    ]) {
      const watched = keep(await connectFrom(cluster.proxy.https, credential, address, headers))
      const session = await until('the session is listed', 2_000, () => sessionOf(watched, clientId))
      assert.equal(session.remoteAddress, address, JSON.stringify(headers))
    }
  })
  closeClients()

  await check(`${name}: admin and metrics through the proxy from a private address`, async () => {
    const { status, body } = await get(cluster.proxy.https, '/v1/admin/sessions', { headers: { authorization } })
    assert.equal(status, 200, body)
    assert.equal((await get(cluster.proxy.https, '/v1/admin/sessions')).status, 401)
    assert.match((await get(cluster.proxy.https, '/metrics')).body, /countersign_sessions/)
  })

  // Loopback is private, except for the address that stands for the one the configuration excludes.
  await check(`${name}: no admin, no metrics for the excluded address, however written`, () =>
    assertGuarded({ localAddress: excludedAddress })
  )

  const address = publicAddress()
  if (address === undefined)
    process.stdout.write(`-       ${name}: this machine has no public address to connect from\n`)
  else
    await check(`${name}: no admin, no metrics for a public address, however written`, () => assertGuarded({ address }))

  await check(`${name}: the bridge over HTTP/1.1 and HTTP/2, an empty POST of every kind`, () =>
    assertSpoken(cluster.proxy.https, credential)
  )
  await check(`${name}: exchanges of one session are spread over both gateways`, () =>
    assertSpread(cluster.proxy.https, credential, cluster.gateways)
  )
}
