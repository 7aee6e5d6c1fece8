// Runs the interop tests of Python clients, written from PROTOCOL.md alone, against gateways of its own: with the embedded
// store and, if redis-server is on PATH, with Redis, and two instances over one Redis, any of which may be killed.
// The last line is `N passed, N failed`.
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const python = '/usr/bin/python3'
const host = '127.0.0.1'
const folderOfTests = fileURLToPath(new URL('.', import.meta.url))
const command = fileURLToPath(new URL('../../bin/countersign.mjs', import.meta.url))
/** The first start may have to build. */
const startMs = 90_000
const testsMs = 240_000
const keptOutput = 100_000
const freshSeconds = 2
/** The shortest that there is. */
const bridgeTimeout = 30

/** `node test/interop/run.mjs Redis` runs that alone; the names are those below. */
const only = process.argv[2]

const outside = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('COUNTERSIGN_')))
const children = new Set()
const folders = new Set()
const outputs = []
const total = { passed: 0, failed: 0 }

function makeFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-interop-'))
  folders.add(folder)
  return folder
}

function start(program, args, options) {
  const child = spawn(program, args, options)
  children.add(child)
  child.exited = new Promise(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('exit', (code, signal) => resolve(code ?? signal))
  }).finally(() => children.delete(child))
  return child
}

/** What a child prints; a gateway's last words are shown where something failed. */
function keepOutput(child) {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      output = (output + text).slice(-keptOutput)
    })
  }
  child.output = () => output
}

async function stop(child) {
  child.kill('SIGTERM')
  if ((await within(5_000, child.exited)) === undefined) child.kill('SIGKILL')
  await within(5_000, child.exited)
}

/** What the promise gives, or undefined after that many milliseconds. */
async function within(milliseconds, promise) {
  const done = new AbortController()
  const timer = sleep(milliseconds, undefined, { signal: done.signal }).catch(() => undefined)
  try {
    return await Promise.race([promise, timer])
  } finally {
    done.abort()
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, host, () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** Asks until the answer is yes; gives up if the child ends or time is over. */
async function untilReady(name, child, milliseconds, ask) {
  let ended
  child.exited.then(status => {
    ended = status
  })
  for (const deadline = Date.now() + milliseconds; Date.now() < deadline; await sleep(50)) {
    if (ended !== undefined) throw new Error(`${name} ended at its start: ${ended} ${child.output?.()}`)
    if (await ask()) return
  }
  throw new Error(`${name} was not ready within ${milliseconds / 1000} s`)
}

async function startRedis(port, folder = makeFolder()) {
  const child = start('redis-server', ['--bind', host, '--port', `${port}`, '--save', '', '--appendonly', 'no'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit']
  })
  await untilReady('redis-server', child, 10_000, () => isOpen(port))
  return child
}

function redisSettings(port) {
  return {
    COUNTERSIGN_STORE: `redis://${host}:${port}`,
    COUNTERSIGN_MASTER_KEY: randomBytes(32).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: randomBytes(32).toString('base64url')
  }
}

function isOpen(port) {
  return new Promise(resolve => {
    const socket = connect({ host, port })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

async function startGateway(port, folder, environment) {
  const child = start(process.execPath, [command, 'serve', '--host', host, '--port', `${port}`], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...outside,
      COUNTERSIGN_DATA_DIR: join(folder, 'data'),
      COUNTERSIGN_LOG_LEVEL: 'error',
      COUNTERSIGN_DRAIN_SECONDS: '0',
      COUNTERSIGN_BRIDGE_TIMEOUT_SECONDS: `${bridgeTimeout}`,
      ...environment
    }
  })
  keepOutput(child)
  outputs.push(child.output)
  await untilReady('the gateway', child, startMs, async () => {
    const answer = await fetch(`http://${host}:${port}/readyz`, { signal: AbortSignal.timeout(2000) }).catch(
      () => undefined
    )
    return answer?.status === 200
  })
  return child
}

/** Runs one file of tests, or some of its classes; a run that cannot start or tell its result is one failure. */
async function runTests(name, environment, file, ...classes) {
  const tests = start(python, [join(folderOfTests, file), ...classes], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...outside,
      PYTHONDONTWRITEBYTECODE: '1',
      INTEROP_BRIDGE_TIMEOUT: `${bridgeTimeout}`,
      ...environment
    }
  })
  keepOutput(tests)
  await within(testsMs, new Promise(resolve => tests.once('close', resolve)))
  await stop(tests)
  const output = tests.output()
  console.log(`interop: ${[name, file, ...classes].join(' ')}\n${output.trim()}`)
  const counts = /^(\d+) passed, (\d+) failed$/m.exec(output)
  total.passed += Number(counts?.[1] ?? 0)
  total.failed += Number(counts?.[2] ?? 1)
}

/** A gateway, and what its tests need to know. */
async function openGateway(settings) {
  const port = await freePort()
  const folder = makeFolder()
  await startGateway(port, folder, settings)
  const { COUNTERSIGN_ADMIN_TOKEN = readFileSync(join(folder, 'data/admin.token'), 'utf8').trim() } = settings
  return { INTEROP_URL: `http://${host}:${port}`, INTEROP_TOKEN: COUNTERSIGN_ADMIN_TOKEN }
}

const calm = { COUNTERSIGN_RATE_LIMIT: 'off', COUNTERSIGN_FRESH_CHALLENGE_SECONDS: '0' }

/** All tests of one instance, on one kind of store. What takes minutes runs beside the rest. */
async function testStore(name, settingsOf) {
  const short = await openGateway({
    COUNTERSIGN_RATE_LIMIT: 'off',
    // Short, so that the tests of PROTOCOL §6 need not wait for long.
    COUNTERSIGN_FRESH_CHALLENGE_SECONDS: `${freshSeconds}`,
    COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS: '2',
    COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS: '5',
    ...(await settingsOf())
  })
  const long = await openGateway({ ...calm, ...(await settingsOf()) })
  const limiting = await openGateway({ COUNTERSIGN_FRAMES_PER_SECOND: '5', ...(await settingsOf()) })
  const fresh = { INTEROP_FRESH_SECONDS: `${freshSeconds}` }
  const slow = { INTEROP_SLOW: '1' }
  await Promise.all([
    runTests(name, { ...long, ...slow }, 'test_bridge.py', 'Slow'),
    runTests(name, { ...short, ...fresh, ...slow }, 'test_bridge.py', 'SlowFresh'),
    runTests(name, { ...short, ...fresh }, 'test_interop.py').then(() =>
      runTests(name, { ...short, ...fresh }, 'test_bridge.py', 'FreshChallenges')
    ),
    runTests(name, long, 'test_bridge.py', 'InGeneral', 'Handshake', 'Polls', 'Batches', 'Ends')
      .then(() => runTests(name, long, 'test_channels.py'))
      .then(() => runTests(name, { ...limiting, INTEROP_RATE: '1' }, 'test_bridge.py', 'Rates'))
  ])
}

/** Two instances over one Redis; the tests say when one of the three dies and comes back. */
async function testInstances() {
  const redis = { port: await freePort(), folder: makeFolder() }
  redis.child = await startRedis(redis.port, redis.folder)
  const settings = { ...calm, COUNTERSIGN_DRAIN_SECONDS: '2', ...redisSettings(redis.port) }
  const instances = await Promise.all(
    [1, 2].map(async () => {
      const [port, folder] = [await freePort(), makeFolder()]
      return { port, folder, child: await startGateway(port, folder, settings) }
    })
  )
  const end = async (child, signal) => {
    child.kill(signal)
    await child.exited
  }
  const commands = {
    'redis/kill': () => end(redis.child, 'SIGKILL'),
    // A Redis that hangs: its connections stay.
    'redis/pause': async () => redis.child.kill('SIGSTOP'),
    'redis/resume': async () => redis.child.kill('SIGCONT'),
    'redis/start': async () => {
      redis.child = await startRedis(redis.port, redis.folder)
    }
  }
  for (const [i, instance] of instances.entries()) {
    commands[`kill/${i + 1}`] = () => end(instance.child, 'SIGKILL')
    commands[`stop/${i + 1}`] = () => end(instance.child, 'SIGTERM')
    commands[`start/${i + 1}`] = async () => {
      instance.child = await startGateway(instance.port, instance.folder, settings)
    }
  }
  const control = createHttpServer((request, response) => {
    const command = commands[request.url.slice(1)]
    Promise.resolve(command?.()).then(
      () => response.writeHead(command === undefined ? 404 : 204).end(),
      error => response.writeHead(500).end(error.message)
    )
  })
  await new Promise(resolve => control.listen(0, host, resolve))
  const [first, second] = instances.map(({ port }) => `http://${host}:${port}`)
  await runTests(
    'two instances',
    {
      INTEROP_URL: first,
      INTEROP_URL_2: second,
      INTEROP_TOKEN: settings.COUNTERSIGN_ADMIN_TOKEN,
      INTEROP_CONTROL: `http://${host}:${control.address().port}`,
      INTEROP_REDIS_PORT: `${redis.port}`
    },
    'test_instances.py'
  )
  control.close()
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

function cleanUp() {
  for (const child of children) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
}

if (spawnSync(python, ['-c', 'import websockets'], { stdio: 'ignore', timeout: 20_000 }).status !== 0) {
  console.error(`test:interop needs ${python} with websockets: apt-get install python3-websockets`)
  process.exit(1)
}
process.once('exit', cleanUp)
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

const attempts = [attempt('embedded store', () => testStore('embedded store', async () => ({})))]
if (spawnSync('redis-server', ['--version'], { stdio: 'ignore', timeout: 20_000 }).status === 0) {
  attempts.push(
    attempt('Redis', () =>
      testStore('Redis', async () => {
        const port = await freePort()
        await startRedis(port)
        return redisSettings(port)
      })
    ),
    attempt('two instances', testInstances)
  )
} else console.log('interop: redis-server is not on PATH, so only the embedded store was tested')
await Promise.all(attempts)
for (const child of [...children].reverse()) await stop(child)
if (total.failed > 0) for (const output of outputs) console.log(output())
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exit(total.failed === 0 ? 0 : 1)
