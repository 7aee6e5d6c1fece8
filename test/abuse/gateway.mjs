import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** A gateway under attack: a child process whose memory is sampled while a scenario runs. */

const sampleMs = 500
const pageBytes = 4096
const mebibyte = 1024 * 1024
const stopMs = 10_000
const folders = new Set()
const children = new Set()

/** Removes what a run leaves behind. */
export function cleanUp() {
  for (const child of children) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
}

/** @returns {number} resident memory of a process in MiB, 0 if it has ended */
function residentMib(pid) {
  try {
    const [, resident] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')
    return Math.round((Number(resident) * pageBytes) / mebibyte)
  } catch {
    return 0
  }
}

/**
 * @param {object} options
 * @param {string} [options.program]  path of `countersign.mjs`
 * @param {number} [options.heapMib]  heap limit of the process
 * @param {Record<string, string>} [options.settings]
 */
export async function startGateway({ program = 'bin/countersign.mjs', heapMib = 512, settings = {} } = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-abuse-'))
  folders.add(dataDir)
  // Output that nobody reads is the usual case of a slow log collector: the gateway must not buffer it without bound.
  const child = spawn(process.execPath, [`--max-old-space-size=${heapMib}`, resolve(program), 'serve'], {
    cwd: dataDir,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      COUNTERSIGN_PORT: '0',
      COUNTERSIGN_DATA_DIR: join(dataDir, 'data'),
      ...settings
    }
  })
  children.add(child)
  let output = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    output = (output + text).slice(-8000)
  })
  const ended = once(child, 'exit').then(([code, signal]) => {
    children.delete(child)
    return code ?? signal
  })
  const url = await readUrl(child, () => output, ended)
  const curve = []
  const sampler = setInterval(() => curve.push(residentMib(child.pid)), sampleMs)
  const { port } = new URL(url)
  return {
    url,
    port: Number(port),
    dataDir: join(dataDir, 'data'),
    /** Resident memory in MiB, every 500 ms. */
    curve,
    isRunning: () => children.has(child),
    output: () => output,
    admin: adminOf(url, join(dataDir, 'data')),
    async stop() {
      clearInterval(sampler)
      child.stdout.resume()
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), stopMs)
      await ended
      clearTimeout(timer)
    }
  }
}

async function readUrl(child, output, ended) {
  for (;;) {
    const url = /listening on (http\S+)/.exec(output())?.[1]
    if (url !== undefined) return url
    const next = await Promise.race([ended, once(child.stderr, 'data')])
    if (!Array.isArray(next)) throw new Error(`the gateway did not start: ${output()}`)
  }
}

function adminOf(url, dataDir) {
  return async (method, path, body) => {
    const token = readFileSync(join(dataDir, 'admin.token'), 'utf8').trim()
    const response = await fetch(`${url}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' })
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
  }
}
