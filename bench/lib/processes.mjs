import { fork, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { removeFolder } from '../../test/helper/remove-folder.mjs'

// The measured processes: each a child of its own on a free port of 127.0.0.1, asked for its CPU time over IPC.

const bench = fileURLToPath(new URL('..', import.meta.url))
const harness = new URL('../servers/harness.mjs', import.meta.url).href
const running = new Set()
const folders = new Set()

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  for (const folder of folders) removeFolder(folder)
})

function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
  folders.add(folder)
  return folder
}

function start(file, env, stdio, execPath = process.execPath) {
  const child = fork(file, {
    execPath,
    execArgv: ['--expose-gc', ...(process.env.BENCH_SERVER_ARGS ?? '').split(' ').filter(Boolean), '--import', harness],
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
    stdio
  })
  running.add(child)
  child.on('exit', () => running.delete(child))
  return child
}

/** A measured process and its commands. */
function measured(child, url) {
  let id = 0
  const waiting = new Map()
  child.on('message', answer => {
    waiting.get(answer.id)?.(answer)
    waiting.delete(answer.id)
  })
  /** @returns {Promise<{ cpuUs: number, rss: number, heap: number }>} its CPU time so far, its memory now */
  function ask(question) {
    return new Promise(resolve => {
      waiting.set(++id, resolve)
      child.send({ id, ask: question })
    })
  }
  return {
    url,
    ask,
    cpuUs: async () => (await ask('usage')).cpuUs,
    async stop() {
      if (!running.has(child)) return
      const gone = once(child, 'exit')
      // With a profiler it has something to write first (BENCH_SERVER_ARGS=--cpu-prof).
      child.kill(process.env.BENCH_SERVER_ARGS === undefined ? 'SIGKILL' : 'SIGTERM')
      await gone
    }
  }
}

/** @param {'bare-ws' | 'bare-fastify' | 'signed-fastify' | 'socket-io'} name */
export async function startPeer(name, env = {}) {
  const child = start(join(bench, 'servers', `${name}.mjs`), env, ['ignore', 'ignore', 'inherit', 'ipc'])
  const [{ url }] = await once(child, 'message')
  return measured(child, url)
}

const masterKey = randomBytes(32).toString('base64')
const adminToken = randomBytes(32).toString('base64url')

/**
 * The gateway as it ships (or another build of it, or on another Node), without a log and without rate limits, because all
 * load comes from one address.
 * @param {{ redisUrl?: string, env?: Record<string, string>, dist?: string, node?: string }} options
 */
export async function startGateway({
  redisUrl,
  env = {},
  dist = join(bench, '../dist'),
  node = process.env.BENCH_NODE
} = {}) {
  const child = start(
    join(dist, 'server.js'),
    {
      COUNTERSIGN_PORT: '0',
      COUNTERSIGN_DATA_DIR: temporaryFolder(),
      COUNTERSIGN_STORE: redisUrl ?? 'embedded',
      COUNTERSIGN_MASTER_KEY: masterKey,
      COUNTERSIGN_ADMIN_TOKEN: adminToken,
      COUNTERSIGN_RATE_LIMIT: 'off',
      // Sessions that wait for their turn send nothing.
      COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS: '600',
      COUNTERSIGN_BRIDGE_TIMEOUT_SECONDS: '600',
      ...env
    },
    ['ignore', 'ignore', 'pipe', 'ipc'],
    node
  )
  let output = ''
  child.stderr.setEncoding('utf8')
  for (;;) {
    const [chunk] = await Promise.race([once(child.stderr, 'data'), once(child, 'exit').then(() => [undefined])])
    if (chunk === undefined) throw new Error(`the gateway did not start: ${output}`)
    output += chunk
    const url = /listening on (\S+)/.exec(output)?.[1]
    if (url !== undefined) return measured(child, url)
  }
}

/** Headers of an operator's requests. */
export const adminHeaders = { authorization: `Bearer ${adminToken}` }

/** A request of an operator. @returns {Promise<object | undefined>} what the gateway answers */
export async function administer({ url }, method, path, body) {
  const response = await fetch(`${url}/v1/admin${path}`, {
    method,
    headers: { ...adminHeaders, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    body: JSON.stringify(body)
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

/** A client that may do all that is measured. */
export async function createCredential(gateway) {
  const wanted = { subscribe: ['bench:*'], publish: ['bench:*'], call: ['*'] }
  const { clientId, keyId, secret } = await administer(gateway, 'POST', '/clients', wanted)
  return { clientId, keyId, secret }
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** A Redis without persistence: what it costs to write to a disk is not what is measured. */
export async function startRedis() {
  const port = await freePort()
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', temporaryFolder()]
  const child = spawn('redis-server', [...args, '--save', '', '--appendonly', 'no'], { stdio: 'ignore' })
  running.add(child)
  child.on('exit', () => running.delete(child))
  child.on('error', () => {})
  const url = `redis://127.0.0.1:${port}`
  const redis = new Redis(url, { maxRetriesPerRequest: 100, retryStrategy: () => 50 })
  redis.on('error', () => {})
  const version = /redis_version:(\S+)/.exec(await redis.info('server'))[1]

  /** Microseconds of CPU that Redis has used. */
  async function cpuUs() {
    const info = await redis.info('cpu')
    const seconds = name => Number(new RegExp(`^${name}:(\\S+)`, 'm').exec(info)[1])
    return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6
  }

  /** Commands of clients while `work` runs, by name; calls within scripts are under `script: …`. */
  async function commandsDuring(work) {
    const counts = new Map()
    // Without ioredis, which fails when the first command comes in one chunk with the answer to MONITOR.
    const monitor = connect(port, '127.0.0.1')
    let rest = ''
    monitor.setEncoding('utf8').on('data', chunk => {
      const lines = (rest + chunk).split('\r\n')
      rest = lines.pop()
      for (const line of lines) {
        const [, source, command] = /^\+[\d.]+ \[\d+ (\S+)\] "(\w+)"/.exec(line) ?? []
        if (command === undefined) continue
        const name = source === 'lua' ? `script: ${command.toLowerCase()}` : command.toLowerCase()
        counts.set(name, (counts.get(name) ?? 0) + 1)
      }
    })
    monitor.write('MONITOR\r\n')
    await once(monitor, 'data')
    const result = await work()
    // Its answer follows all messages that it received before.
    await redis.ping('done')
    await new Promise(resolve => setTimeout(resolve, 50))
    monitor.destroy()
    counts.delete('ping')
    return { counts, result }
  }

  return {
    url,
    version,
    cpuUs,
    commandsDuring,
    async stop() {
      redis.disconnect()
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }
  }
}

/** The version of a peer that is installed. */
export function versionOf(name) {
  return JSON.parse(readFileSync(join(bench, 'node_modules', name, 'package.json'), 'utf8')).version
}
