import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { type Config, ConfigError, loadSources } from '../config/load.js'
import { checkMasterKeys, UnusableStore, WrongMasterKey } from '../registry/index.js'
import { openStore, readIdentityText } from '../store/open.js'
import { DataDirInUse, lostParts, type Store, StoreUnavailable } from '../store/store.js'
import type { Invocation, Io } from './command.js'
import { type Check, checkRedis, fail, pass } from './doctor-redis.js'
import { codeOf, messageOf } from './errors.js'
import { adminTokenFile, masterKeyFile, readMasterKeyFile } from './first-start.js'
import { isRecord } from './json.js'
import { hostToCall } from './locate.js'
import { clean, painter, printJson, printLine } from './output.js'
import { isOpenToOthers } from './secret-file.js'
import { explainCount, leastBytesPerWorker, readResources } from './workers/count.js'

/** `countersign doctor`: finds faults that keep a gateway from running, and suggests what to do. It changes nothing. */

/** Results of the checks of the store. */
interface FoundStore {
  /** The id and the schema version from its readable part. */
  identityText?: string | undefined
}

const databaseFile = 'countersign.mdb'
/** Older than every release: a clock that shows an earlier time was never set. */
const earliest = Date.UTC(2025, 0, 1)
const answerTimeoutMs = 5000

function checkNode(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return major > 20 || (major === 20 && minor >= 19)
    ? pass('node', `Node ${process.versions.node}`)
    : fail('node', `Node ${process.versions.node} is too old`, 'install Node 20.19 or newer')
}

function readConfig({ settings }: Invocation): { checks: Check[]; config?: Config } {
  try {
    const { config, warnings } = loadSources(settings())
    const text = ['every setting is valid', ...warnings].join('; ')
    return { checks: [pass('configuration', text)], config }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const todo = 'correct it: countersign config shows where each value comes from'
    return { checks: error.problems.map(problem => fail('configuration', problem, todo)) }
  }
}

/** Only the gateway's user may access the data folder and the secrets in it. */
function checkDataDir({ dataDir, store }: Config): Check[] {
  const name = 'data folder'
  // With Redis the secrets are configured, and nothing is written to the folder.
  if (store.kind === 'redis') return []
  if (!existsSync(dataDir)) return [pass(name, `${dataDir} is created on the first start`)]
  if (!statSync(dataDir).isDirectory()) {
    return [fail(name, `${dataDir} is not a folder`, 'move it away, or set COUNTERSIGN_DATA_DIR')]
  }
  // Windows has no file modes.
  if (process.platform === 'win32') return [pass(name, dataDir)]
  const paths = [dataDir, ...[masterKeyFile, adminTokenFile, databaseFile].map(file => join(dataDir, file))]
  const open = paths.filter(path => existsSync(path) && isOpenToOthers(statSync(path)))
  if (open.length === 0) return [pass(name, `${dataDir}, closed to others`)]
  return open.map(path => fail(name, `others can access ${path}`, `chmod ${path === dataDir ? 700 : 600} ${path}`))
}

/** @returns undefined for a single process, the default */
function checkWorkers(config: Config): Check[] {
  const { workers } = config
  const resources = readResources()
  if (workers === 'auto') return [pass('workers', explainCount(config, resources))]
  if (workers === 1) return []
  const needed = workers * leastBytesPerWorker
  return needed <= resources.memoryBytes
    ? [pass('workers', `${workers} workers`)]
    : [fail('workers', `there is no memory for ${workers} workers`, 'lower COUNTERSIGN_WORKERS, or set it to auto')]
}

function checkTls({ tls }: Config, now: number): Check[] {
  if (tls === undefined) return []
  try {
    const cert = readFileSync(tls.certFile)
    createSecureContext({ cert, key: readFileSync(tls.keyFile) })
    const { validTo } = new X509Certificate(cert)
    return Date.parse(validTo) > now
      ? [pass('tls', `the certificate is valid until ${validTo}`)]
      : [fail('tls', `the certificate expired on ${validTo}`, `replace ${tls.certFile}`)]
  } catch (error) {
    const why = messageOf(error)
    return [
      fail('tls', `the certificate and its key cannot be used: ${why}`, `check ${tls.certFile} and ${tls.keyFile}`)
    ]
  }
}

/** Checks that a master key opens the store. An empty store opens with any. */
async function checkKeys(config: Config, store: Store): Promise<Check> {
  const name = 'master keys'
  const file = join(config.dataDir, masterKeyFile)
  if ((await store.durable.get('meta:pepper')) === undefined) {
    return pass(name, 'the store is empty: the first start sets the master key')
  }
  if (config.masterKeys === undefined && !existsSync(file)) {
    return fail(name, `${file} is missing, but the store was created with it`, `restore ${file} from your backup`)
  }
  try {
    await checkMasterKeys(store.durable, config.masterKeys ?? readMasterKeyFile(config.dataDir))
    return pass(name, 'the master key opens the store')
  } catch (error) {
    if (error instanceof UnusableStore) return fail(name, error.message, 'see docs/operating.md, "An emptied store"')
    if (!(error instanceof WrongMasterKey || error instanceof ConfigError)) throw error
    return fail(name, error.message, 'set COUNTERSIGN_MASTER_KEY to the key that the store was created with')
  }
}

async function checkEmbedded(config: Config, io: Io, found: FoundStore): Promise<Check[]> {
  const { dataDir } = config
  if (!existsSync(join(dataDir, databaseFile))) return [pass('store', 'embedded, created on the first start')]
  let store: Store
  try {
    store = await openStore(config, io.now)
  } catch (error) {
    if (error instanceof DataDirInUse) {
      found.identityText = await readIdentityText(join(dataDir, databaseFile))
      return [pass('store', `embedded; a running gateway uses ${dataDir}`)]
    }
    return [
      fail(
        'store',
        `${dataDir} cannot be opened: ${messageOf(error)}`,
        'does this user run the gateway? is the disk full?'
      )
    ]
  }
  try {
    await store.ping()
    found.identityText = await store.pin.read()
    const { seq } = await store.durable.auditHead()
    return [pass('store', `embedded, ${seq} changes`), await checkKeys(config, store)]
  } finally {
    await store.close()
  }
}

async function checkDamage({ durable }: Store): Promise<Check> {
  const lost = lostParts(await durable.damage.find())
  const todo = 'set maxmemory-policy noeviction, empty the store, and restore a backup'
  return lost.length === 0
    ? pass('store', 'its indexes list every record')
    : fail('store', `the store has lost ${lost.join(' and ')}`, todo)
}

async function checkStore(config: Config, io: Io, found: FoundStore): Promise<Check[]> {
  if (config.store.kind === 'embedded') return checkEmbedded(config, io, found)
  const checks = await checkRedis(config.store, io.now)
  // The only check if Redis cannot be used.
  if (checks.length === 1) return checks
  let store: Store | undefined
  try {
    store = await openStore(config, io.now)
    found.identityText = await store.pin.read()
    return [...checks, await checkDamage(store), await checkKeys(config, store)]
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    const why = error.cause instanceof Error ? error.cause.message : 'Redis does not answer'
    return [...checks, fail('store', why, 'docs/operating.md lists what the gateway needs of Redis')]
  } finally {
    await store?.close()
  }
}

function checkClock(now: number): Check {
  const text = new Date(now).toISOString()
  return now >= earliest
    ? pass('clock', text)
    : fail('clock', `the clock shows ${text}`, 'set the clock (NTP): licenses and sessions expire by it')
}

/** Checks whether a gateway listens on a port in use. */
async function askPort(url: string, io: Io): Promise<Check> {
  const name = 'port'
  const todo = 'stop the program that listens there, or set COUNTERSIGN_PORT'
  try {
    const response = await io.fetch(`${url}/readyz`, { signal: AbortSignal.timeout(answerTimeoutMs) })
    const answer: unknown = await response.json()
    if (!isRecord(answer) || !isRecord(answer['checks'])) return fail(name, `another program answers at ${url}`, todo)
    if (response.ok) return pass(name, `a gateway answers at ${url}, and is ready`)
    const why = Object.entries(answer['checks'])
      .filter(([, state]) => state !== 'ok')
      .map(([check, state]) => `${check}: ${clean(String(state))}`)
    return fail(name, `the gateway at ${url} is not ready (${why.join('; ')})`, 'fix that; it becomes ready by itself')
  } catch {
    return fail(name, `another program at ${url} does not answer /readyz`, todo)
  }
}

async function checkPort({ host, port, tls }: Config, io: Io): Promise<Check> {
  if (port === 0) return pass('port', 'a free one is picked on start')
  const server = createServer()
  try {
    await once(server.listen(port, host), 'listening')
    server.close()
    await once(server, 'close')
    return pass('port', `${host}:${port} is free`)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EADDRINUSE') {
      return askPort(`${tls === undefined ? 'http' : 'https'}://${hostToCall(host)}:${port}`, io)
    }
    const todo = code === 'EACCES' ? 'use a port from 1024 on' : 'set COUNTERSIGN_HOST to an address of this machine'
    return fail('port', `cannot listen on ${host}:${port} (${String(code)})`, todo)
  }
}

/** The store for `--json`. It has an id and a schema version once a gateway has started on it. */
function describeStore({ store }: Config, { identityText = '' }: FoundStore) {
  const [, form] = store.kind === 'redis' ? (/^rediss?\+(\w+):/.exec(store.url) ?? []) : []
  const [, id, schema] = /^(\w+)\.(\d+)\./.exec(identityText) ?? []
  return { kind: form ?? store.kind, ...(id === undefined ? {} : { id, schemaVersion: Number(schema) }) }
}

/** @returns the exit code: 0 if every check passes */
export async function doctor(invocation: Invocation): Promise<number> {
  const { io, options } = invocation
  const { checks: read, config } = readConfig(invocation)
  const checks = [checkNode(), ...read]
  const found: FoundStore = {}
  if (config !== undefined) {
    const now = io.now()
    checks.push(...checkDataDir(config), ...checkWorkers(config), ...checkTls(config, now))
    checks.push(...(await checkStore(config, io, found)))
    checks.push(checkClock(now), await checkPort(config, io))
  }
  const ok = checks.every(check => check.ok)
  if (options.json)
    await printJson(io, { ok, checks, ...(config === undefined ? {} : { store: describeStore(config, found) }) })
  else {
    const paint = painter(io.stdout, io.env)
    for (const check of checks) {
      const mark = check.ok ? paint('green', '✓') : paint('red', '✗')
      const todo = check.todo === undefined ? '' : `\n  → ${check.todo}`
      await printLine(io, `${mark} ${check.name}: ${check.text}${todo}`)
    }
  }
  return ok ? 0 : 1
}
