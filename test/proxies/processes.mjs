import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Child processes and folders of a run, and waiting for them. Nothing outlives the run. */

export const loopback = '127.0.0.1'
const command = fileURLToPath(new URL('../../bin/countersign.mjs', import.meta.url))
/** A first start may have to build. */
const startMs = 120_000
const stopMs = 10_000
const lookEveryMs = 25
const keptOutput = 8_000

const outside = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('COUNTERSIGN_')))
const children = new Set()
const folders = new Set()

export const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

/** Asks until the answer is there. @throws when it is not within the time */
export async function until(what, ms, ask) {
  for (const deadline = Date.now() + ms; ; await pause(lookEveryMs)) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`)
  }
}

export function makeFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-proxies-'))
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

/** A child in a folder of its own. What it prints is kept for when it fails. */
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
    child.once('exit', (code, killedBy) => resolve(code ?? killedBy))
  }).then(status => {
    children.delete(child)
    running.ended = status
    return status
  })

  function signal(name) {
    if (running.ended === undefined) child.kill(name)
  }

  /** SIGTERM, and SIGKILL for who does not listen. @returns how it ended */
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
    if (child.ended !== undefined) throw new Error(`${name} ended at its start: ${child.ended}\n${child.output}`)
    return ask()
  })
}

export async function startRedis() {
  const port = await freePort()
  const child = start('redis-server', ['--bind', loopback, '--port', `${port}`, '--save', '', '--appendonly', 'no'])
  await untilReady('redis-server', child, () => isOpen(port))
  return `redis://${loopback}:${port}`
}

/** A gateway with a port of its own, which it keeps over restarts. */
export async function createGateway(settings) {
  const port = await freePort()
  const url = `http://${loopback}:${port}`
  const gateway = { port, url, child: undefined, start: startIt }

  async function startIt() {
    const folder = makeFolder()
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

/** For the end of the process, which waits for nothing. */
export function cleanUp() {
  for (const child of children) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}
