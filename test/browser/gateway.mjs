import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { removeFolder } from '../helper/remove-folder.mjs'

/** Real gateways as child processes, each with its own port and data folder. */

const command = fileURLToPath(new URL('../../bin/countersign.mjs', import.meta.url))
/** The first start may have to build. */
const startMs = 120_000
const stopMs = 20_000
const checkEveryMs = 50

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

async function freePort() {
  const server = createServer()
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise(resolve => server.close(resolve))
  return port
}

/** The environment without COUNTERSIGN_ settings. */
function cleanEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('COUNTERSIGN_')))
}

/**
 * A gateway that is not running yet.
 * @param {Record<string, string>} settings  on top of the defaults
 */
export async function createGateway(settings = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-browser-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  let child
  let output = ''

  async function isReady() {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1000) }).catch(() => undefined)
    return response?.ok === true
  }

  /** @returns once it is ready */
  async function start() {
    child = spawn(process.execPath, [command, 'serve', '--port', String(port), '--data-dir', join(folder, 'data')], {
      cwd: folder,
      env: { ...cleanEnvironment(), COUNTERSIGN_LOG_LEVEL: 'warn', ...settings },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        output += text
      })
    }
    const until = Date.now() + startMs
    while (!(await isReady())) {
      if (child.exitCode !== null || Date.now() > until) throw new Error(`the gateway did not start:\n${output}`)
      await pause(checkEveryMs)
    }
  }

  /** SIGTERM, as an operator would. @returns the exit code */
  async function stop() {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode
    const exited = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGTERM')
    const patience = setTimeout(() => child.kill('SIGKILL'), stopMs)
    const code = await exited
    clearTimeout(patience)
    return code
  }

  const adminToken = () => readFileSync(join(folder, 'data/admin.token'), 'utf8').trim()

  /** The admin API. */
  async function post(path, body) {
    const token = adminToken()
    const response = await fetch(`${url}/v1/admin/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000)
    })
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`)
    return response.json()
  }

  /** Kills the process and removes the folder. Synchronous, for the `exit` event. */
  function discard() {
    child?.kill('SIGKILL')
    removeFolder(folder)
  }

  return { url, wsUrl: `ws://127.0.0.1:${port}/v1/ws`, start, stop, post, adminToken, discard }
}
