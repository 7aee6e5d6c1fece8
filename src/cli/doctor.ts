import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { type Config, ConfigError, loadConfig } from '../config/load.js'
import { openRegistry, WrongMasterKey } from '../registry/index.js'
import { openStore } from '../store/open.js'
import { DataDirInUse, type Store, StoreUnavailable } from '../store/store.js'
import type { Io } from './command.js'
import { maskUrls, splitJson } from './config.js'
import { type Check, checkRedis } from './doctor-redis.js'
import { adminTokenFile, masterKeyFile, readMasterKeyFile } from './first-start.js'
import { gatherEnvironment } from './flags.js'
import { callable } from './locate.js'
import { clean, isRecord, painter, printJson, printLine } from './output.js'

/** `countersign doctor`: what keeps a gateway from running, and what to do. It changes nothing. */

function pass(name: string, text: string): Check {
  return { name, ok: true, text }
}

function fail(name: string, text: string, todo: string): Check {
  return { name, ok: false, text, todo }
}

const databaseFile = 'countersign.mdb'
/** Before this no release of ours was: a clock that says less stands still or was never set. */
const earliest = Date.UTC(2025, 0, 1)
const answerTimeoutMs = 5000

function checkNode(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return major > 20 || (major === 20 && minor >= 19)
    ? pass('node', `Node ${process.versions.node}`)
    : fail('node', `Node ${process.versions.node} is too old`, 'install Node 20.19 or newer')
}

function readConfig(args: readonly string[], io: Io): { checks: Check[]; config?: Config } {
  try {
    const { config, warnings } = loadConfig(gatherEnvironment(args, io.env))
    const text = ['every setting is good', ...warnings].join('; ')
    return { checks: [pass('configuration', text)], config }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const todo = 'correct it: countersign config shows where each value is from'
    return { checks: error.problems.map(problem => fail('configuration', maskUrls(problem), todo)) }
  }
}

/** Modes of the data folder and of what is in it that only the gateway may read. */
function checkDataDir({ dataDir }: Config): Check[] {
  const name = 'data folder'
  if (!existsSync(dataDir)) return [pass(name, `${dataDir} is made at the first start`)]
  if (!statSync(dataDir).isDirectory()) {
    return [fail(name, `${dataDir} is no folder`, 'move it away, or set COUNTERSIGN_DATA_DIR')]
  }
  // Windows has no such modes.
  if (process.platform === 'win32') return [pass(name, dataDir)]
  const paths = [dataDir, ...[masterKeyFile, adminTokenFile, databaseFile].map(file => join(dataDir, file))]
  const open = paths.filter(path => existsSync(path) && (statSync(path).mode & 0o077) !== 0)
  if (open.length === 0) return [pass(name, `${dataDir}, closed to others`)]
  return open.map(path => fail(name, `others can get at ${path}`, `chmod ${path === dataDir ? 700 : 600} ${path}`))
}

function checkTls({ tls }: Config, now: number): Check[] {
  if (tls === undefined) return []
  try {
    const cert = readFileSync(tls.certFile)
    createSecureContext({ cert, key: readFileSync(tls.keyFile) })
    const { validTo } = new X509Certificate(cert)
    return Date.parse(validTo) > now
      ? [pass('tls', `the certificate is good until ${validTo}`)]
      : [fail('tls', `the certificate ended ${validTo}`, `put a new one at ${tls.certFile}`)]
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return [fail('tls', `certificate and key cannot be used: ${why}`, `look at ${tls.certFile} and ${tls.keyFile}`)]
  }
}

/** Whether the master keys open what the store holds. A store that holds nothing yet opens with any. */
async function checkKeyRing(config: Config, store: Store, now: () => number): Promise<Check> {
  const name = 'key ring'
  const file = join(config.dataDir, masterKeyFile)
  if ((await store.durable.get('meta:pepper')) === undefined) {
    return pass(name, 'the store is empty: the first start decides')
  }
  if (config.masterKeys === undefined && !existsSync(file)) {
    return fail(name, `${file} is missing, but the store was made with one`, `put ${file} back from where you keep it`)
  }
  try {
    await openRegistry(store, config.masterKeys ?? readMasterKeyFile(config.dataDir), now)
    return pass(name, 'the master key opens the store')
  } catch (error) {
    if (!(error instanceof WrongMasterKey || error instanceof ConfigError)) throw error
    return fail(name, error.message, 'set COUNTERSIGN_MASTER_KEY to the key that the store was made with')
  }
}

async function checkEmbedded(config: Config, io: Io): Promise<Check[]> {
  const { dataDir } = config
  if (!existsSync(join(dataDir, databaseFile))) return [pass('store', 'embedded, made at the first start')]
  let store: Store
  try {
    store = await openStore(config, io.now, () => {})
  } catch (error) {
    if (error instanceof DataDirInUse) return [pass('store', `embedded; a running gateway works in ${dataDir}`)]
    const why = error instanceof Error ? error.message : String(error)
    return [
      fail('store', `${dataDir} does not open: ${why}`, 'is it this user who runs the gateway? is the disk full?')
    ]
  }
  try {
    await store.ping()
    const { seq } = await store.durable.auditHead()
    return [pass('store', `embedded, ${seq} changes so far`), await checkKeyRing(config, store, io.now)]
  } finally {
    await store.close()
  }
}

async function checkStore(config: Config, io: Io): Promise<Check[]> {
  if (config.store.kind === 'embedded') return checkEmbedded(config, io)
  const checks = await checkRedis(config.store.url, io.now)
  if (checks.some(({ ok }) => !ok)) return checks
  let store: Store | undefined
  try {
    store = await openStore(config, io.now, () => {})
    return [...checks, await checkKeyRing(config, store, io.now)]
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    const todo = 'is Redis running, and is COUNTERSIGN_STORE right?'
    return [...checks, fail('store', 'Redis does not answer', todo)]
  } finally {
    await store?.close()
  }
}

function checkClock(now: number): Check {
  const text = new Date(now).toISOString()
  return now >= earliest
    ? pass('clock', text)
    : fail('clock', `it is ${text} here`, 'set the clock (NTP): licenses expire and sessions end by it')
}

/** What answers on a port that is taken. */
async function askPort(url: string, io: Io): Promise<Check> {
  const name = 'port'
  const todo = 'stop what listens there, or set COUNTERSIGN_PORT'
  try {
    const response = await io.fetch(`${url}/readyz`, { signal: AbortSignal.timeout(answerTimeoutMs) })
    const answer: unknown = await response.json()
    if (!isRecord(answer) || !isRecord(answer['checks'])) return fail(name, `something else answers at ${url}`, todo)
    if (response.ok) return pass(name, `a gateway answers at ${url}, and is ready`)
    const why = Object.entries(answer['checks'])
      .filter(([, state]) => state !== 'ok')
      .map(([check, state]) => `${check}: ${clean(String(state))}`)
    return fail(name, `the gateway at ${url} is not ready (${why.join('; ')})`, 'mend that; it turns ready by itself')
  } catch {
    return fail(name, `something at ${url} answers no /readyz`, todo)
  }
}

async function checkPort({ host, port, tls }: Config, io: Io): Promise<Check> {
  if (port === 0) return pass('port', 'a free one is taken at the start')
  const server = createServer()
  try {
    await once(server.listen(port, host), 'listening')
    server.close()
    await once(server, 'close')
    return pass('port', `${host}:${port} is free`)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EADDRINUSE') {
      return askPort(`${tls === undefined ? 'http' : 'https'}://${callable(host)}:${port}`, io)
    }
    const todo = code === 'EACCES' ? 'take a port from 1024 on' : 'set COUNTERSIGN_HOST to an address of this machine'
    return fail('port', `${host}:${port} cannot be listened on (${String(code)})`, todo)
  }
}

/** @returns the exit code: 0 where all is well */
export async function doctor(args: readonly string[], io: Io): Promise<number> {
  const { json, rest } = splitJson(args)
  const { checks: read, config } = readConfig(rest, io)
  const checks = [checkNode(), ...read]
  if (config !== undefined) {
    const now = io.now()
    checks.push(...checkDataDir(config), ...checkTls(config, now), ...(await checkStore(config, io)))
    checks.push(checkClock(now), await checkPort(config, io))
  }
  const ok = checks.every(check => check.ok)
  if (json) await printJson(io, { ok, checks })
  else {
    const paint = painter(io.stdout, io.env)
    for (const check of checks) {
      const mark = check.ok ? paint('green', '✓') : paint('red', '✗')
      await printLine(
        io,
        `${mark} ${check.name}: ${check.text}${check.todo === undefined ? '' : `\n  → ${check.todo}`}`
      )
    }
  }
  return ok ? 0 : 1
}
