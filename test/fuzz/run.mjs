// Random inputs to every door of a running gateway, on both stores: `npm run fuzz`, shorter with `-- --inputs 20000`, again
// with `-- --seed N`. The last line is `N passed, N failed`.
import { spawnSync } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { seeded } from '../chaos/network.mjs'
import { killGateways, startObserved } from '../helper/observed-gateway.mjs'
import { cleanUp, startRedis } from '../helper/processes.mjs'
import { fuzzBridge } from './bridge.mjs'
import { fuzzHttp } from './http.mjs'
import { createMutator } from './mutations.mjs'
import { fuzzBytes } from './raw-bytes.mjs'
import { fuzzHandshakes, fuzzSocket } from './socket.mjs'

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: `${randomInt(2 ** 31)}` },
    stores: { type: 'string', default: 'embedded,redis' }
  }
})
const inputs = Number(values.inputs)
const seed = Number(values.seed)
const stores = values.stores.split(',')
const maxFindings = 20
const reportMs = 10_000
/** Heap of the gateway: as small as its live sessions allow, so that what grows is what is kept, and not garbage that waits. */
const heapMib = 256
/** Growth of memory from the first fifth of a run to its end: caches, and buffers outside the heap. */
const maxGrowthMib = 96
/** Longest run: a million inputs take about 10 minutes on two cores. */
const limitMs = 60_000 + inputs * 5

if (!Number.isSafeInteger(inputs) || inputs < 100 || !Number.isSafeInteger(seed)) {
  process.stderr.write('fuzz: --inputs must be a number from 100, --seed a number\n')
  process.exit(1)
}
if (stores.includes('redis') && spawnSync('redis-server', ['--version']).error !== undefined) {
  process.stderr.write('fuzz needs redis-server (apt-get install redis-server), or --stores embedded\n')
  process.exit(1)
}
process.once('exit', () => {
  killGateways()
  cleanUp()
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
setTimeout(() => {
  process.stderr.write('fuzz took too long\n')
  process.exit(1)
}, limitMs).unref()

/** Every way into the gateway, with its part of the inputs. */
const doors = [
  { name: 'bytes on a TCP connection', part: 0.1, run: fuzzBytes },
  { name: 'HTTP API', part: 0.25, run: fuzzHttp },
  { name: 'WebSocket handshakes', part: 0.05, run: fuzzHandshakes },
  { name: 'signed WebSocket frames', part: 0.35, run: fuzzSocket },
  { name: 'bridge', part: 0.25, run: fuzzBridge }
]

async function settingsOf(store) {
  const common = { COUNTERSIGN_RATE_LIMIT: 'off', COUNTERSIGN_LOG_LEVEL: 'error', COUNTERSIGN_PRESENCE: 'c.*' }
  if (store === 'embedded') return common
  return {
    ...common,
    COUNTERSIGN_STORE: await startRedis(),
    COUNTERSIGN_MASTER_KEY: randomBytes(32).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: randomBytes(32).toString('base64url')
  }
}

let passed = 0
let failed = 0

function check(what, holds) {
  process.stdout.write(`  ${holds ? 'ok     ' : 'not ok '} ${what}\n`)
  if (holds) passed++
  else failed++
}

/** @returns {{ report(door: string, input: Buffer | string, answer: string): void, all: string[] }} */
function createFindings() {
  const all = []
  return {
    all,
    report(door, input, answer) {
      if (all.length >= maxFindings) return
      all.push(`${door}: ${answer.slice(0, 200)} ← ${JSON.stringify(input.toString('latin1').slice(0, 400))}`)
    }
  }
}

/** Evidence that inputs reached the code behind each door. */
const reached = [
  'countersign_frames_received_total{type="publish"}',
  'countersign_frames_refused_total{code="INVALID_MESSAGE"}',
  'countersign_handshakes_total{result="welcome"}',
  'countersign_handshakes_total{result="AUTHENTICATION_FAILED"}',
  'countersign_http_requests_refused_total{code="BAD_REQUEST"}',
  'countersign_sessions_ended_total{transport="bridge"',
  'countersign_sessions_ended_total{transport="ws"'
]

/** @returns {Promise<string[]>} metrics of {@link reached} that are missing: without them a run would prove nothing */
async function findUnreached(gateway) {
  const text = await (await fetch(`${gateway.url}/metrics`)).text()
  return reached.filter(name => !text.includes(name))
}

async function fuzzStore(store, count) {
  const gateway = await startObserved({ heapMib, settings: await settingsOf(store) })
  const permissions = { clientId: 'fuzz', subscribe: ['*'], publish: ['*'], call: ['*'], presence: ['*'] }
  const { body: credential } = await gateway.admin('POST', '/clients', permissions)
  await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key', maxHwids: 5 })
  const findings = createFindings()
  const progress = { done: 0, isOver: () => !gateway.isRunning() || findings.all.length >= maxFindings }
  const since = performance.now()
  const timer = setInterval(() => {
    process.stderr.write(`${store}: ${progress.done} of ${count} inputs, ${gateway.curve.at(-1)} MiB\n`)
  }, reportMs)
  await Promise.all(
    doors.map(({ name, part, run }, i) => {
      const mutator = createMutator(seeded(seed + i))
      const report = (input, answer) => findings.report(name, input, answer)
      return run({ gateway, credential, mutator, report, progress, count: Math.ceil(count * part) })
    })
  )
  clearInterval(timer)
  const seconds = Math.round((performance.now() - since) / 1000)
  process.stdout.write(`${store}: ${progress.done} inputs in ${seconds} s\n`)
  check('the gateway is still running', gateway.isRunning())
  const unreached = gateway.isRunning() ? await findUnreached(gateway) : reached
  check(
    `inputs of every kind were handled${unreached.map(name => `, but not ${name}`).join('')}`,
    unreached.length === 0
  )
  check('no input is answered with a 5xx or INTERNAL, or not at all', findings.all.length === 0)
  for (const finding of findings.all) process.stdout.write(`          ${finding}\n`)
  const errors = gateway.output.log.match(/"level":(50|60).*/g) ?? []
  check('nothing is logged as an error', errors.length === 0)
  for (const line of errors.slice(0, maxFindings)) process.stdout.write(`          ${line.slice(0, 400)}\n`)
  const { curve } = gateway
  const fifth = Math.max(1, Math.floor(curve.length / 5))
  const growth = Math.max(...curve.slice(-fifth)) - Math.max(...curve.slice(0, fifth))
  check(`memory grows by less than ${maxGrowthMib} MiB (${growth})`, growth < maxGrowthMib)
  process.stdout.write(`  resident memory, MiB: ${curve.filter((_, i) => i % fifth === 0).join(' ')}\n`)
  await gateway.stop()
}

process.stdout.write(`seed ${seed}\n`)
for (const store of stores) await fuzzStore(store, Math.ceil(inputs / stores.length))
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exit(failed === 0 ? 0 : 1)
