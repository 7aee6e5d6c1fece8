// Runs the interop tests of a Python client, written from PROTOCOL.md alone, against gateways of its own: one with the
// embedded store and, if redis-server is on PATH, one with Redis. The last line is `N passed, N failed`.
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const python = '/usr/bin/python3'
const host = '127.0.0.1'
const testFile = fileURLToPath(new URL('test_interop.py', import.meta.url))
const command = fileURLToPath(new URL('../../bin/countersign.mjs', import.meta.url))
/** The first start may have to build. */
const startMs = 90_000
const testsMs = 240_000
const freshSeconds = 2

const outside = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('COUNTERSIGN_')))
const children = new Set()
const folders = new Set()
const total = { passed: 0, failed: 0 }

function makeFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-interop-'))
  folders.add(folder)
  return folder
}

function start(program, args, options) {
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options })
  children.add(child)
  child.exited = new Promise(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('exit', (code, signal) => resolve(code ?? signal))
  }).finally(() => children.delete(child))
  return child
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
    if (ended !== undefined) throw new Error(`${name} ended at its start: ${ended}`)
    if (await ask()) return
  }
  throw new Error(`${name} was not ready within ${milliseconds / 1000} s`)
}

async function startRedis(port) {
  const child = start('redis-server', ['--bind', host, '--port', `${port}`, '--save', '', '--appendonly', 'no'], {
    cwd: makeFolder(),
    stdio: ['ignore', 'ignore', 'inherit']
  })
  await untilReady('redis-server', child, 10_000, () => isOpen(port))
  return child
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
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...outside,
      COUNTERSIGN_DATA_DIR: join(folder, 'data'),
      COUNTERSIGN_RATE_LIMIT: 'off',
      COUNTERSIGN_LOG_LEVEL: 'warn',
      COUNTERSIGN_DRAIN_SECONDS: '0',
      // Short, so that the tests of PROTOCOL §6 need not wait for long.
      COUNTERSIGN_FRESH_CHALLENGE_SECONDS: `${freshSeconds}`,
      COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS: '2',
      COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS: '5',
      ...environment
    }
  })
  await untilReady('the gateway', child, startMs, async () => {
    const answer = await fetch(`http://${host}:${port}/readyz`, { signal: AbortSignal.timeout(2000) }).catch(
      () => undefined
    )
    return answer?.status === 200
  })
  return child
}

/** Runs the tests once; a run that cannot start or tell its result is one failure. */
async function runTests(name, environment) {
  console.log(`interop: ${name}`)
  const port = await freePort()
  const folder = makeFolder()
  const gateway = await startGateway(port, folder, environment)
  const token = environment.COUNTERSIGN_ADMIN_TOKEN ?? readFileSync(join(folder, 'data/admin.token'), 'utf8').trim()
  const tests = start(python, [testFile], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...outside,
      PYTHONDONTWRITEBYTECODE: '1',
      INTEROP_URL: `http://${host}:${port}`,
      INTEROP_TOKEN: token,
      INTEROP_FRESH_SECONDS: `${freshSeconds}`
    }
  })
  let output = ''
  tests.stdout.setEncoding('utf8').on('data', text => {
    output += text
  })
  const status = await within(testsMs, new Promise(resolve => tests.once('close', resolve)))
  const counts = /^(\d+) passed, (\d+) failed$/m.exec(output)
  if (counts === null)
    throw new Error(status === undefined ? `no result within ${testsMs / 1000} s` : 'the tests told no result')
  total.passed += Number(counts[1])
  total.failed += Number(counts[2])
  await stop(gateway)
}

async function attempt(name, run) {
  try {
    await run()
  } catch (error) {
    console.error(`interop: ${name}: ${error.message}`)
    total.failed += 1
  }
  for (const child of [...children].reverse()) await stop(child)
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

await attempt('embedded store', () => runTests('embedded store', {}))
if (spawnSync('redis-server', ['--version'], { stdio: 'ignore', timeout: 20_000 }).status === 0) {
  await attempt('Redis', async () => {
    const port = await freePort()
    await startRedis(port)
    await runTests('Redis', {
      COUNTERSIGN_STORE: `redis://${host}:${port}`,
      COUNTERSIGN_MASTER_KEY: randomBytes(32).toString('base64'),
      COUNTERSIGN_ADMIN_TOKEN: randomBytes(32).toString('base64url')
    })
  })
} else console.log('interop: redis-server is not on PATH, so only the embedded store was tested')
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exit(total.failed === 0 ? 0 : 1)
