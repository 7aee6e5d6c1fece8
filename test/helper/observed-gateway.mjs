import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeFolder } from './processes.mjs'

/** A gateway as a child process whose memory is sampled while a run attacks it. */

const sampleMs = 500
const kibibytesPerMebibyte = 1024
const stopMs = 10_000
const keptOutput = 16_000
const defaultProgram = fileURLToPath(new URL('../../bin/countersign.mjs', import.meta.url))
const children = new Set()

/** Kills what still runs. Synchronous, for the `exit` event. */
export function killGateways() {
  for (const child of children) child.kill('SIGKILL')
}

/** @returns {number} resident memory in MiB, without mapped files such as the database; 0 when the process has ended */
function residentMib(pid) {
  try {
    const [, kibibytes] = /RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Math.round(Number(kibibytes) / kibibytesPerMebibyte)
  } catch {
    return 0
  }
}

/**
 * @param {object} options
 * @param {string} [options.program]    path of `countersign.mjs`, to attack another build
 * @param {number} [options.heapMib]    heap limit of the process
 * @param {boolean} [options.readsLog]  false: nobody reads its log, as with a log collector that is stuck
 * @param {number} [options.keptLog]  characters of its log that are kept, the last ones
 * @param {number} [options.openFiles]  limit of its open files
 * @param {string} [options.envFile]   text of the `.env` in its working folder
 * @param {Record<string, string>} [options.settings]
 */
export async function startObserved({
  program = defaultProgram,
  heapMib = 512,
  readsLog = true,
  keptLog = keptOutput,
  openFiles,
  envFile,
  settings = {}
} = {}) {
  const folder = makeFolder()
  if (envFile !== undefined) writeFileSync(join(folder, '.env'), envFile)
  const dataDir = join(folder, 'data')
  const command = [process.execPath, `--max-old-space-size=${heapMib}`, program, 'serve']
  const limited =
    openFiles === undefined ? command : ['sh', '-c', `ulimit -n ${openFiles}; exec "$@"`, 'sh', ...command]
  const child = spawn(limited[0], limited.slice(1), {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      COUNTERSIGN_PORT: '0',
      COUNTERSIGN_DATA_DIR: dataDir,
      ...settings
    }
  })
  children.add(child)
  const output = { log: '', notices: '' }
  if (readsLog)
    child.stdout.setEncoding('utf8').on('data', text => {
      output.log = (output.log + text).slice(-keptLog)
    })
  child.stderr.setEncoding('utf8').on('data', text => {
    output.notices = (output.notices + text).slice(-keptOutput)
  })
  const ended = once(child, 'exit').then(([code, signal]) => {
    children.delete(child)
    return code ?? signal
  })
  const url = await untilListening(child, output, ended)
  const curve = [residentMib(child.pid)]
  const sampler = setInterval(() => curve.push(residentMib(child.pid)), sampleMs)
  const token = () => settings.COUNTERSIGN_ADMIN_TOKEN ?? readFileSync(join(dataDir, 'admin.token'), 'utf8').trim()
  return {
    url,
    port: Number(new URL(url).port),
    pid: child.pid,
    /** Its working folder. */
    folder,
    /** Resident memory in MiB, every 500 ms. */
    curve,
    output,
    token,
    isRunning: () => children.has(child),
    admin: (method, path, body) => callAdmin(url, token(), method, path, body),
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

async function untilListening(child, output, ended) {
  for (;;) {
    const url = /listening on (http\S+)/.exec(output.notices)?.[1]
    if (url !== undefined) return url
    const next = await Promise.race([ended, once(child.stderr, 'data')])
    if (!Array.isArray(next)) throw new Error(`the gateway did not start: ${output.notices}`)
  }
}

async function callAdmin(url, token, method, path, body) {
  const response = await fetch(`${url}/v1/admin${path}`, {
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
