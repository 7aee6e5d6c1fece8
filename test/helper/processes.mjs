import { spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { removeFolder } from './remove-folder.mjs'

/** Child processes and folders of a run. Neither outlives the run if it calls {@link cleanUp} at its end. */

export const loopback = '127.0.0.1'
const command = fileURLToPath(new URL('../../bin/countersign.mjs', import.meta.url))
/** The first start may have to build. */
const startMs = 120_000
const stopMs = 10_000
const checkEveryMs = 25
const keptOutput = 100_000

const outside = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('COUNTERSIGN_')))
const children = new Set()
const folders = new Set()

export const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

/** Calls `ask` until its answer is neither undefined nor false. @throws if it is not within `ms` */
export async function until(what, ms, ask) {
  for (const deadline = Date.now() + ms; ; await pause(checkEveryMs)) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (Date.now() > deadline) throw new Error(`${what}: not within ${ms} ms`)
  }
}

export function makeFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-test-'))
  folders.add(folder)
  return folder
}

export async function freePort() {
  const server = createServer()
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, resolve))
  const { port } = server.address()
  await new Promise(resolve => server.close(resolve))
  return port
}

export function isOpen(port) {
  return new Promise(resolve => {
    const socket = connect({ host: loopback, port })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

/** Starts a child process in its own folder. Keeps the end of its output, to show when something fails. */
export function start(program, args, environment = {}, cwd = makeFolder()) {
  const child = spawn(program, args, { cwd, env: { ...outside, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  const running = { pid: child.pid, output: '', ended: undefined, signal, stop, exited: undefined }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      running.output = (running.output + text).slice(-keptOutput)
    })
  }
  running.exited = new Promise(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('close', (code, killedBy) => resolve(code ?? killedBy))
  }).then(status => {
    children.delete(child)
    running.ended = status
    return status
  })

  function signal(name) {
    if (running.ended === undefined) child.kill(name)
  }

  /** Sends SIGTERM, and SIGKILL after 10 s. @returns its exit code or signal */
  async function stop() {
    signal('SIGTERM')
    const patience = setTimeout(() => child.kill('SIGKILL'), stopMs)
    const status = await running.exited
    clearTimeout(patience)
    return status
  }
  return running
}

export async function untilReady(name, child, ask, ms = startMs) {
  await until(`${name} is ready`, ms, () => {
    if (child.ended !== undefined) throw new Error(`${name} ended during its start: ${child.ended}\n${child.output}`)
    return ask()
  })
}

/**
 * Starts a Redis without persistence. A restart on the same port and folder loads what `SAVE` wrote there.
 * @param options  further arguments; they override the earlier ones
 */
export async function startRedisServer(port, folder = makeFolder(), options = []) {
  const args = ['--bind', loopback, '--port', `${port}`, '--save', '', '--appendonly', 'no', ...options]
  const child = start('redis-server', args, {}, folder)
  await untilReady('redis-server', child, () => isOpen(port))
  return { child, port, folder }
}

/** @returns the URL of a new Redis */
export async function startRedis() {
  const { port } = await startRedisServer(await freePort())
  return `redis://${loopback}:${port}`
}

/** A gateway that is not running yet. It keeps its port over restarts; each start has a new data folder. */
export async function createGateway(settings) {
  const port = await freePort()
  const url = `http://${loopback}:${port}`
  const gateway = { port, url, folder: undefined, child: undefined, start: startGateway }

  async function startGateway() {
    const folder = makeFolder()
    gateway.folder = folder
    gateway.child = start(
      process.execPath,
      [command, 'serve', '--host', loopback, '--port', `${port}`],
      { COUNTERSIGN_DATA_DIR: join(folder, 'data'), COUNTERSIGN_LOG_LEVEL: 'warn', ...settings },
      folder
    )
    await untilReady('the gateway', gateway.child, async () => {
      const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1000) }).catch(() => undefined)
      return answer?.ok
    })
  }
  return gateway
}

/** Kills all children and removes all folders. Synchronous, for the `exit` event. */
export function cleanUp() {
  for (const child of children) child.kill('SIGKILL')
  for (const folder of folders) removeFolder(folder)
}
