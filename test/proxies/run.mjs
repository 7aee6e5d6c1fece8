// Two gateways behind real proxies with the configurations of deploy/: `npm run test:proxies`. The last line counts.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { BlockList } from 'node:net'
import { networkInterfaces } from 'node:os'
import { cleanUp, createGateway, loopback, pause, startRedis, until } from '../helper/processes.mjs'
import {
  assertHeld,
  assertLossless,
  assertSpoken,
  assertSpread,
  heldSeconds,
  killEach,
  rollingRestart,
  startLongPolls
} from './bridge-checks.mjs'
import { askHttp2, connectClient, connectFrom, get, overHttp2 } from './clients.mjs'
import { proxies, strangeAddress } from './proxies.mjs'

const allMs = 300_000
/** Until a proxy has seen a gateway come back and sends it connections. */
const spreadMs = 15_000
const revokedMs = 2_000
const movedMs = 10_000
const returnMs = 10_000
const streamLength = 200
const streamPauseMs = 50
const maxClients = 24

const needed = ['caddy', 'haproxy', 'redis-server', 'openssl']
const hasCommand = name =>
  spawnSync(name, [name === 'redis-server' ? '--version' : name === 'haproxy' ? '-v' : 'version'], { timeout: 20_000 })
    .error === undefined
if (!needed.every(hasCommand)) {
  process.stderr.write('test:proxies needs apt-get install caddy haproxy redis-server (and openssl)\n')
  process.exit(1)
}
process.once('exit', cleanUp)
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
setTimeout(() => {
  process.stderr.write('test:proxies took too long\n')
  process.exit(1)
}, allMs).unref()
// The SDK has no switch for certificates that nobody signed; nor does it need one outside of this run.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'

const counts = { passed: 0, failed: 0 }
const token = randomBytes(32).toString('base64url')
const authorization = `Bearer ${token}`
const clients = new Set()
let proxy
let gateways

async function check(name, run) {
  try {
    const note = await run()
    counts.passed++
    process.stdout.write(`ok      ${name}${note === undefined ? '' : ` (${note})`}\n`)
  } catch (error) {
    counts.failed++
    const told = [error.stack ?? error, proxy?.child.output.slice(-1500), ...gateways.map(each => each.child?.output)]
    process.stdout.write(`FAILED  ${name}\n        ${told.filter(Boolean).join('\n').replaceAll('\n', '\n        ')}\n`)
  }
}

// ── The gateways' own API ────────────────────────────────────────────────────────────────────────────────────────────

async function admin(gateway, method, path, { body, headers } = {}) {
  const json = body === undefined ? {} : { 'content-type': 'application/json' }
  const response = await fetch(`${gateway.url}/v1/admin/${path}`, {
    method,
    headers: { authorization, ...json, ...headers },
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(10_000)
  })
  const text = await response.text()
  return { status: response.status, answer: text === '' ? undefined : JSON.parse(text) }
}

async function make(path, body) {
  const { status, answer } = await admin(gateways[0], 'POST', path, { body })
  assert.equal(status, 201, JSON.stringify(answer))
  return answer
}

/** A fresh client and license, and what to ask. */
async function makeParties(clientId) {
  const client = await make('clients', { clientId, subscribe: ['*'], publish: ['session:*'] })
  const { key } = await make('licenses', { serviceId: 'example_service' })
  const { keyId, secret } = client
  return {
    clientId,
    credential: { clientId, keyId, secret },
    question: { serviceId: 'example_service', hwid: 'h', key }
  }
}

/** The session of a client, as a gateway that runs lists it. */
async function sessionOf({ sessionId }, clientId) {
  const gateway = gateways.find(({ child }) => child.ended === undefined)
  const { answer } = await admin(gateway, 'GET', `sessions?limit=1000&clientId=${clientId}`)
  return answer.items.find(each => each.sessionId === sessionId)
}

const wsUrl = () => `wss://localhost:${proxy.https}/v1/ws`

function keep(watched) {
  clients.add(watched)
  return watched
}

function closeClients() {
  for (const { client } of clients) client.close()
  clients.clear()
}

/** Which instance a gateway is since its last start. */
async function learnInstance(gateway, { clientId, credential }) {
  const watched = await connectClient(`ws://${loopback}:${gateway.port}/v1/ws`, credential)
  const session = await sessionOf(watched, clientId)
  watched.client.close()
  gateway.instanceId = session.instanceId
}

/** Connects through the proxy until both gateways hold two sessions at least. */
async function connectSpread({ clientId, credential }) {
  const held = gateways.map(() => [])
  const deadline = Date.now() + spreadMs
  for (let made = 0; held.some(each => each.length < 2); made++) {
    // Only the first connections can still find one gateway missing from the rotation.
    if (made >= maxClients || Date.now() > deadline)
      throw new Error(`not spread: ${held.map(each => each.length)} sessions`)
    const watched = keep(await connectClient(wsUrl(), credential))
    const session = await until('the session is listed', 2_000, () => sessionOf(watched, clientId))
    const index = gateways.findIndex(each => each.instanceId === session.instanceId)
    held[index].push(watched)
    const spread = Math.abs(held[0].length - held[1].length)
    if (spread > 2) await pause(250)
  }
  return held
}

async function assertValid(watched, question) {
  const { valid, code } = await watched.client.validate(question)
  assert.deepEqual({ valid, code }, { valid: true, code: 'VALID' })
}

// ── Who counts as outside ────────────────────────────────────────────────────────────────────────────────────────────

/** An address of this machine that is not private, if it has one: connections to it come from it. */
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

/** Ways to write the operators' paths, for who must not have them. The token is right, so only the path can be refused. */
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
    const { status, body } = await get(proxy.https, target, { ...from, headers })
    assert.ok([301, 308, 400, 404].includes(status), `${target}: ${status} ${body.slice(0, 100)}`)
  }
  assert.equal((await get(proxy.https, '/metrics', from)).status, 404)
  assert.equal((await get(proxy.https, '/v1/admin/sessions', from)).status, 404)
  assert.equal((await get(proxy.https, '/livez', from)).status, 200)
}

/** Publishes through a proxy, once, however often it must try. */
const publishThrough = port => async (channel, data, idempotencyKey) => {
  await until('it is published', 30_000, async () => {
    const options = { method: 'POST', headers: { authorization, 'content-type': 'application/json' } }
    const body = JSON.stringify({
      channel,
      data,
      idempotencyKey: createHash('sha256').update(idempotencyKey).digest('hex')
    })
    const url = `https://localhost:${port}/v1/publish`
    const answer = await fetch(url, { ...options, body, signal: AbortSignal.timeout(10_000) }).catch(() => undefined)
    await answer?.text()
    return answer?.ok
  })
}

// ── The checks ───────────────────────────────────────────────────────────────────────────────────────────────────────

async function checkSteady({ name, parties }) {
  const { clientId, credential, question } = parties
  for (const gateway of gateways) await learnInstance(gateway, parties)

  await check(`${name}: a WebSocket over TLS and HTTP/1.1, its handshake, a signed validate`, async () => {
    await assertValid(keep(await connectClient(wsUrl(), credential)), question)
  })

  await check(`${name}: /readyz and /livez over HTTP/1.1 and HTTP/2`, async () => {
    for (const path of ['/readyz', '/livez']) {
      const { status, version, body } = await get(proxy.https, path)
      assert.deepEqual([status, version, JSON.parse(body).status], [200, '1.1', 'ok'])
      const over2 = await overHttp2(proxy.https, session => askHttp2(session, { ':path': path }))
      assert.deepEqual([over2.status, JSON.parse(over2.body).status], [200, 'ok'])
    }
  })

  await check(`${name}: a WebSocket over HTTP/2, where the proxy offers it to browsers`, () =>
    overHttp2(proxy.https, async session => {
      if (session.remoteSettings.enableConnectProtocol !== true) return 'not offered: browsers use HTTP/1.1'
      const headers = { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'https', ':path': '/v1/ws' }
      const { status, body } = await askHttp2(session, {
        ...headers,
        'sec-websocket-version': '13',
        'sec-websocket-protocol': 'countersign.v1',
        origin: `https://localhost:${proxy.https}`
      })
      assert.equal(status, 200)
      assert.match(body, /"challenge"/)
      return undefined
    })
  )

  await check(`${name}: plain HTTP is sent to HTTPS`, async () => {
    const headers = { host: 'localhost' }
    const url = `http://localhost:${proxy.http}/livez`
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
    assert.equal((await admin(gateways[0], 'DELETE', path)).status, 204)
    await until('all are told', revokedMs, () => held.every(({ stopped }) => stopped !== undefined))
    const took = Date.now() - began
    assert.deepEqual([...new Set(held.map(({ stopped }) => stopped))], ['SESSION_REVOKED'])
    return `${took} ms`
  })
  closeClients()

  await check(`${name}: a session has its client's address; X-Forwarded-For from outside is not believed`, async () => {
    for (const [address, headers] of [
      ['127.0.0.7', {}],
      ['127.0.0.7', { 'X-Forwarded-For': '203.0.113.66', Forwarded: 'for=203.0.113.66', 'X-Real-IP': '203.0.113.66' }],
      [loopback, { 'X-Forwarded-For': '203.0.113.66, 203.0.113.67' }]
    ]) {
      const watched = keep(await connectFrom(proxy.https, credential, address, headers))
      const session = await until('the session is listed', 2_000, () => sessionOf(watched, clientId))
      assert.equal(session.remoteAddress, address, JSON.stringify(headers))
    }
  })
  closeClients()

  await check(`${name}: admin and metrics through the proxy from a private address`, async () => {
    const { status, body } = await get(proxy.https, '/v1/admin/sessions', { headers: { authorization } })
    assert.equal(status, 200, body)
    assert.equal((await get(proxy.https, '/v1/admin/sessions')).status, 401)
    assert.match((await get(proxy.https, '/metrics')).body, /countersign_sessions/)
  })

  // Loopback is private; the place of the address that the configuration takes out of the private ones is not.
  await check(`${name}: no admin, no metrics for the excepted address, however written`, () =>
    assertGuarded({ localAddress: strangeAddress })
  )

  const address = publicAddress()
  if (address === undefined) process.stdout.write(`-       ${name}: this machine has no public address to try from\n`)
  else
    await check(`${name}: no admin, no metrics for a public address, however written`, () => assertGuarded({ address }))

  await check(`${name}: the bridge over HTTP/1.1 and HTTP/2, an empty POST of every kind`, () =>
    assertSpoken(proxy.https, credential)
  )
  await check(`${name}: exchanges of one session are spread over both gateways`, () =>
    assertSpread(proxy.https, credential, gateways)
  )
}

/** The bridge through all proxies at the same time: it is the gateways that come and go. */
async function checkBridge(started) {
  for (const { name, longPolls } of started)
    await check(`${name}: polls are held for ${heldSeconds} s over HTTP/1.1 and HTTP/2`, () => assertHeld(longPolls))
  const lossless = async disturb => {
    const disturbing = disturb(
      started.map(({ proxy, parties }) => ({ port: proxy.https, credential: parties.credential }))
    )
    const notes = await Promise.all(
      started.map(({ proxy, parties }) =>
        assertLossless(proxy.https, parties.credential, publishThrough(proxy.https), disturbing)
      )
    )
    return notes.join('; ')
  }
  await check('all: the bridge over a rolling restart: nothing lost, held polls answered at once', () =>
    lossless(doors => rollingRestart(doors, gateways))
  )
  await check('all: the bridge while each gateway is killed once: nothing lost, nothing twice', () =>
    lossless(() => killEach(gateways))
  )
}

/** WebSockets, through one proxy, while gateways come and go. */
async function checkDeaths({ name, parties }) {
  const { clientId, credential, question } = parties
  for (const gateway of gateways) await learnInstance(gateway, parties)

  await check(`${name}: a rolling restart: clients move when asked, ${streamLength} validates answer`, async () => {
    const [stopping, staying] = await connectSpread(parties)
    const all = [stopping, staying].flat()
    let answered = 0
    let slowest = 0
    const [first, second] = gateways
    const stream = Promise.all(
      all.map(async watched => {
        while (answered < streamLength) {
          answered++
          const asked = Date.now()
          await assertValid(watched, question)
          slowest = Math.max(slowest, Date.now() - asked)
          await pause(streamPauseMs)
        }
      })
    )
    stream.catch(() => {})
    await until('the stream runs', 5_000, () => answered >= all.length * 2)
    const stopped = first.child.stop()
    await stream
    assert.equal(await stopped, 0)
    assert.ok(
      stopping.every(({ reconnects }) => reconnects === 1),
      `asked to reconnect: ${stopping.map(({ reconnects }) => reconnects)}`
    )
    await until('all are on the other instance', movedMs, async () => {
      const sessions = await Promise.all(all.map(watched => sessionOf(watched, clientId)))
      return sessions.every(session => session?.instanceId === second.instanceId)
    })
    for (const watched of all) await assertValid(watched, question)
    return `${all.length} clients, the slowest answer after ${slowest} ms`
  })
  closeClients()

  await check(`${name}: the gateway that is back gets connections again`, async () => {
    const [first] = gateways
    await first.child.stop()
    await first.start()
    await learnInstance(first, parties)
    await until('both are in the rotation', spreadMs, async () => {
      const watched = keep(await connectClient(wsUrl(), credential))
      return (await sessionOf(watched, clientId))?.instanceId === first.instanceId
    })
  })
  closeClients()

  await check(`${name}: kill -9 of an instance: its clients are back and validate within ${returnMs} ms`, async () => {
    const [staying, killed] = await connectSpread(parties)
    const [, second] = gateways
    const began = Date.now()
    second.child.signal('SIGKILL')
    await second.child.exited
    await Promise.all([...killed, ...staying].map(watched => assertValid(watched, question)))
    const took = Date.now() - began
    assert.ok(took < returnMs, `${took} ms`)
    assert.ok(killed.every(({ welcomes }) => welcomes > 1))
    assert.ok(staying.every(({ welcomes }) => welcomes === 1))
    return `${took} ms`
  })
  closeClients()
}

async function checkTrust() {
  await check('a gateway takes admin calls that its trusted proxy says came over HTTPS, and no others', async () => {
    const from = protocol => ({ headers: { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': protocol } })
    for (const gateway of gateways) {
      assert.equal((await admin(gateway, 'GET', 'sessions', from('https'))).status, 200)
      const { status, answer } = await admin(gateway, 'GET', 'sessions', from('http'))
      assert.deepEqual([status, answer.code], [403, 'INSECURE_TRANSPORT'])
    }
  })
}

try {
  const settings = {
    COUNTERSIGN_STORE: await startRedis(),
    COUNTERSIGN_MASTER_KEY: randomBytes(32).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: token,
    COUNTERSIGN_TRUST_PROXY: '127.0.0.1/32',
    COUNTERSIGN_RATE_LIMIT: 'off',
    COUNTERSIGN_DRAIN_SECONDS: '2'
  }
  gateways = [await createGateway(settings), await createGateway(settings)]
  for (const gateway of gateways) await gateway.start()
  await checkTrust()
  const started = []
  for (const [name, startProxy] of Object.entries(proxies)) {
    const parties = await makeParties(`behind-${name.toLowerCase()}`)
    started.push({ name, parties, proxy: await startProxy(gateways) })
  }
  // Polls are held for long: through all proxies at once, and before anything is killed.
  for (const each of started) each.longPolls = startLongPolls(each.proxy.https, each.parties.credential)
  for (const each of started) {
    proxy = each.proxy
    await checkSteady(each)
    closeClients()
  }
  await checkBridge(started)
  for (const each of started) {
    for (const gateway of gateways) if (gateway.child.ended !== undefined) await gateway.start()
    proxy = each.proxy
    await checkDeaths(each)
    closeClients()
    await proxy.child.stop()
  }
} catch (error) {
  counts.failed++
  process.stdout.write(`FAILED  ${error.stack}\n`)
}
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`)
process.exit(counts.failed === 0 ? 0 : 1)
