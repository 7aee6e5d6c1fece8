// Clients of one gateway that is stopped, and then killed: `npm run test:restart`, in full `npm run test:restart -- --clients 1000`. All are
// back in time, without a storm of handshakes. The last line is `N passed, N failed`.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { cleanUp, createGateway, pause, startRedis, until } from '../helper/processes.mjs'

const { values } = parseArgs({ options: { clients: { type: 'string', default: '300' } } })
const wanted = Number(values.clients)
if (!Number.isSafeInteger(wanted) || wanted < 1) {
  process.stderr.write('test:restart: --clients must be a positive number\n')
  process.exit(1)
}
const backWithinMs = 25_000
const mostHandshakes = 1.2
/** Clients that connect at once at first: that is not what is measured. */
const connectBatch = 50
/** For the sessions to be quiet again, on a slow machine. */
const settleMs = 1000

process.once('exit', cleanUp)
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
setTimeout(() => {
  process.stderr.write('test:restart took too long\n')
  process.exit(1)
}, 240_000).unref()

const { createClient } = await import(new URL('../../dist/client/node.js', import.meta.url).href)
const token = randomBytes(32).toString('base64url')

async function handshakesOf({ url }) {
  const text = await (await fetch(`${url}/metrics`)).text()
  const counts = [...text.matchAll(/^countersign_handshakes_total\{result="([^"]+)"\} (\d+)$/gm)]
  return Object.fromEntries(counts.map(([, result, count]) => [result, Number(count)]))
}

const counts = { passed: 0, failed: 0 }
function check(name, run) {
  try {
    const note = run()
    counts.passed++
    process.stdout.write(`ok      ${name}${note === undefined ? '' : ` (${note})`}\n`)
  } catch (error) {
    counts.failed++
    process.stdout.write(`FAILED  ${name}\n        ${error.message.replaceAll('\n', '\n        ')}\n`)
  }
}

try {
  const gateway = await createGateway({
    COUNTERSIGN_STORE: await startRedis(),
    COUNTERSIGN_MASTER_KEY: randomBytes(32).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: token,
    // No other instance takes the sessions, so a stop takes this time.
    COUNTERSIGN_DRAIN_SECONDS: '5',
    // All clients share one address here.
    COUNTERSIGN_RATE_LIMIT: 'off'
  })
  await gateway.start()
  const made = await fetch(`${gateway.url}/v1/admin/clients`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ clientId: 'page', subscribe: ['news'] })
  })
  const { keyId, secret } = await made.json()
  const credential = { clientId: 'page', keyId, secret }
  const clients = Array.from({ length: wanted }, () =>
    createClient({ url: `ws://127.0.0.1:${gateway.port}/v1/ws`, credential })
  )
  const connected = () => clients.filter(({ state }) => state === 'connected').length
  /** Longest time that a client had no session, in milliseconds. */
  let longestMs = 0
  for (const client of clients) {
    let lostAt
    client.on('lost', () => {
      lostAt = performance.now()
    })
    client.on('welcome', () => {
      if (lostAt !== undefined) longestMs = Math.max(longestMs, performance.now() - lostAt)
      lostAt = undefined
    })
    client.on('trouble', () => {})
    client.subscribe('news', () => {})
  }
  for (let i = 0; i < wanted; i += connectBatch) {
    for (const client of clients.slice(i, i + connectBatch)) client.connect()
    await until('a batch is connected', 60_000, () => connected() >= Math.min(wanted, i + connectBatch))
  }
  await pause(settleMs)
  process.stdout.write(`${wanted} clients are connected\n`)

  async function restart(name, end) {
    longestMs = 0
    await end()
    await gateway.start()
    const startedAt = performance.now()
    let backMs
    await until('all are back', 120_000, () => {
      if (connected() < wanted) return false
      backMs = performance.now() - startedAt
      return true
    })
    const handshakes = await handshakesOf(gateway)
    const total = Object.values(handshakes).reduce((sum, count) => sum + count, 0)
    check(`${name}: ${wanted} clients are back within ${backWithinMs / 1000} s`, () => {
      // On a busy machine the start of the process takes long.
      assert.ok(backMs <= backWithinMs, `${Math.round(backMs)} ms`)
      const inSeconds = ms => `${(ms / 1000).toFixed(1)} s`
      return `${inSeconds(backMs)} after the gateway was ready; without a session for ${inSeconds(longestMs)} at most`
    })
    check(`${name}: with at most ${mostHandshakes} handshakes each`, () => {
      assert.ok(total <= mostHandshakes * wanted, JSON.stringify(handshakes))
      return `${(total / wanted).toFixed(2)}: ${JSON.stringify(handshakes)}`
    })
  }

  await restart('stopped', () => gateway.child.stop())
  await pause(settleMs)
  await restart('killed', async () => {
    gateway.child.signal('SIGKILL')
    await gateway.child.exited
  })
  await Promise.all(clients.map(client => client.close()))
} catch (error) {
  counts.failed++
  process.stdout.write(`FAILED  ${error.stack}\n`)
}
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed\n`)
process.exit(counts.failed === 0 ? 0 : 1)
