// Two gateways behind real proxies with the configurations of deploy/: `npm run test:proxies`. The last line is
// `N passed, N failed`.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cleanUp, createGateway, startRedis } from '../helper/processes.mjs'
import { assertHeld, assertLossless, heldSeconds, killEach, rollingRestart, startLongPolls } from './bridge-checks.mjs'
import { admin, check, closeClients, cluster, counts, makeParties, publishThrough, token } from './context.mjs'
import { proxies } from './proxies.mjs'
import { checkRestarts } from './restarts.mjs'
import { checkSteady } from './steady.mjs'

const allMs = 300_000

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
// The SDK has no option to accept a self-signed certificate, and needs none outside of this run.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'

/** The bridge through all proxies at once, while gateways stop and start. */
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
  await check('all: the bridge over a rolling restart loses nothing and answers held polls at once', () =>
    lossless(doors => rollingRestart(doors, cluster.gateways))
  )
  await check('all: the bridge loses and repeats nothing while each gateway is killed once', () =>
    lossless(() => killEach(cluster.gateways))
  )
}

async function checkTrust() {
  await check('a gateway accepts admin calls that its trusted proxy received over HTTPS, and no others', async () => {
    const from = protocol => ({ headers: { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': protocol } })
    for (const gateway of cluster.gateways) {
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
  cluster.gateways = [await createGateway(settings), await createGateway(settings)]
  for (const gateway of cluster.gateways) await gateway.start()
  await checkTrust()
  const started = []
  for (const [name, startProxy] of Object.entries(proxies)) {
    const parties = await makeParties(`behind-${name.toLowerCase()}`)
    started.push({ name, parties, proxy: await startProxy(cluster.gateways) })
  }
  // Long polls take long: through all proxies at once, and before a gateway is killed.
  for (const each of started) each.longPolls = startLongPolls(each.proxy.https, each.parties.credential)
  for (const each of started) {
    cluster.proxy = each.proxy
    await checkSteady(each)
    closeClients()
  }
  await checkBridge(started)
  for (const each of started) {
    for (const gateway of cluster.gateways) if (gateway.child.ended !== undefined) await gateway.start()
    cluster.proxy = each.proxy
    await checkRestarts(each)
    closeClients()
    await each.proxy.child.stop()
  }
} catch (error) {
  counts.failed++
  process.stdout.write(`FAILED  ${error.stack}\n`)
}
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`)
process.exit(counts.failed === 0 ? 0 : 1)
