// Runs Python clients, written from PROTOCOL.md alone, against real gateways: with the embedded store, with Redis, and as
// two instances over one Redis that the tests kill and restart. `node test/interop/run.mjs Redis` runs one of the three.
// The last line is `N passed, N failed`.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cleanUp, start } from '../helper/processes.mjs'
import { bridgeTimeoutSeconds, freshSeconds, openEach, openTwoInstances, started, stores } from './gateways.mjs'

const python = '/usr/bin/python3'
const folder = import.meta.dirname
const testsMs = 240_000
const only = process.argv[2]
const total = { passed: 0, failed: 0 }

/** The classes of test_bridge_fresh.py that a run of seconds and one of minutes take. */
const freshClass = 'FreshChallenges'
const slowFreshClass = 'SlowFresh'
/** It fills the gateway's buffers, so it runs last. */
const slowConsumer = 'test_ws_slow_consumer.py'
const separate = ['test_bridge_fresh.py', 'test_bridge_rates.py', 'test_bridge_slow.py', slowConsumer]
const filesOf = prefix =>
  readdirSync(folder).filter(name => name.startsWith(prefix) && name.endsWith('.py') && !separate.includes(name))

/** Runs one file of tests, or some of its classes. A run without a result counts as one failure. */
async function runTests(name, environment, file, ...classes) {
  const tests = start(python, [join(folder, file), ...classes], {
    PYTHONDONTWRITEBYTECODE: '1',
    INTEROP_BRIDGE_TIMEOUT: `${bridgeTimeoutSeconds}`,
    ...environment
  })
  const isOver = new AbortController()
  await Promise.race([tests.exited, sleep(testsMs, undefined, { signal: isOver.signal }).catch(() => {})])
  isOver.abort()
  await tests.stop()
  console.log(`interop: ${[name, file, ...classes].join(' ')}\n${tests.output.trim()}`)
  const counts = /^(\d+) passed, (\d+) failed$/m.exec(tests.output)
  total.passed += Number(counts?.[1] ?? 0)
  total.failed += Number(counts?.[2] ?? 1)
}

async function runInTurn(name, environment, files) {
  for (const file of files) await runTests(name, environment, file)
}

/** All tests of one instance, on one kind of store. The tests that take minutes run beside the others. */
async function testStore(name, storeSettings) {
  const { short, long, limiting } = await openEach(storeSettings)
  const fresh = { ...short, INTEROP_FRESH_SECONDS: `${freshSeconds}` }
  const slow = { INTEROP_SLOW: '1' }
  async function runShort() {
    await runInTurn(name, fresh, [...filesOf('test_document'), ...filesOf('test_ws'), slowConsumer])
    await runTests(name, fresh, 'test_bridge_fresh.py', freshClass)
  }
  async function runLong() {
    await runInTurn(name, long, [...filesOf('test_bridge'), ...filesOf('test_channel')])
    await runTests(name, { ...limiting, INTEROP_RATE: '1' }, 'test_bridge_rates.py')
  }
  await Promise.all([
    runTests(name, { ...long, ...slow }, 'test_bridge_slow.py'),
    runTests(name, { ...fresh, ...slow }, 'test_bridge_fresh.py', slowFreshClass),
    runShort(),
    runLong()
  ])
}

async function testInstances() {
  const { environment, close } = await openTwoInstances()
  await runInTurn('two instances', environment, filesOf('test_instances'))
  close()
}

async function attempt(name, run) {
  if (only !== undefined && only !== name) return
  try {
    await run()
  } catch (error) {
    console.error(`interop: ${name}: ${error.message}`)
    total.failed += 1
  }
}

if (spawnSync(python, ['-c', 'import websockets'], { stdio: 'ignore', timeout: 20_000 }).status !== 0) {
  console.error(`test:interop needs ${python} with websockets: apt-get install python3-websockets`)
  process.exit(1)
}
process.once('exit', cleanUp)
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

const hasRedis = spawnSync('redis-server', ['--version'], { stdio: 'ignore', timeout: 20_000 }).status === 0
if (!hasRedis) console.log('interop: redis-server is not on PATH, so only the embedded store is tested')
await Promise.all([
  ...Object.entries(hasRedis ? stores : { 'embedded store': stores['embedded store'] }).map(([name, settings]) =>
    attempt(name, () => testStore(name, settings))
  ),
  ...(hasRedis ? [attempt('two instances', testInstances)] : [])
])
for (const { child } of started) await child?.stop()
if (total.failed > 0) for (const { child } of started) console.log(child?.output)
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exit(total.failed === 0 ? 0 : 1)
