import { isAbsolute, join, relative } from 'node:path'
import closeWithGrace from 'close-with-grace'
import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'
import { type App, buildApp } from '../app.js'
import { type Config, ConfigError, loadConfig } from '../config/load.js'
import { WrongMasterKey } from '../registry/index.js'
import { openStore } from '../store/open.js'
import { DataDirInUse, type Store, StoreUnavailable } from '../store/store.js'
import { adminTokenFile, readAdminTokenFile, readMasterKeyFile } from './first-start.js'
import { gatherEnvironment } from './flags.js'

/** The process of a gateway: configuration, store, listening, signals. */

const pagesFolder = new URL('../web/', import.meta.url)
const tickEveryMs = 1000
/** What a stop may take beyond the drain before the process ends itself. */
const stopGraceMs = 10_000

/** Names of members that never reach a log, wherever they stand. */
const redact = {
  paths: ['secret', 'token', 'key', 'authorization', '*.secret', '*.token', '*.key', 'req.headers'],
  censor: '[secret]'
}

/** A start that cannot go on, in one line that says what to do. */
function explain(error: unknown, config: Config): string | undefined {
  if (error instanceof ConfigError || error instanceof WrongMasterKey) return error.message
  if (error instanceof DataDirInUse) {
    return `another countersign process uses ${config.dataDir}: stop it, or set COUNTERSIGN_DATA_DIR to another folder`
  }
  if (error instanceof StoreUnavailable) {
    return 'Redis does not answer: is it running, and is COUNTERSIGN_STORE right?'
  }
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return `${config.host}:${config.port} is in use: stop what listens there, or set COUNTERSIGN_PORT`
  }
  // What the system says of a file, a folder or an address is clear enough: `ENOENT: no such file …, open 'cert.pem'`.
  if (error instanceof Error && 'syscall' in error) return `could not start: ${error.message}`
  if (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_OSSL')) {
    return `COUNTERSIGN_TLS_CERT and COUNTERSIGN_TLS_KEY do not hold a certificate and its key: ${error.message}`
  }
  return undefined
}

function shownPath(path: string): string {
  const near = relative(process.cwd(), path)
  return near.startsWith('..') || isAbsolute(near) ? path : `./${near}`
}

/** A few lines for whoever has just started it. */
function greeting(config: Config, url: string): string {
  const store = config.store.kind === 'embedded' ? `embedded, in ${shownPath(config.dataDir)}` : 'Redis'
  const token =
    config.adminToken === undefined ? `in ${shownPath(join(config.dataDir, adminTokenFile))}` : 'as configured'
  return `
  Countersign is listening on ${url}
  store        ${store}
  admin token  ${token}
  try it       ${url}/demo   (README.md: make a client and a license first)
  reference    ${url}/docs   (and PROTOCOL.md for the wire)
  health       ${url}/readyz   ${url}/metrics

`
}

/** Who sees another process's command line sees its flags: secrets belong in the environment. */
function warnings(args: readonly string[]): string[] {
  return ['--master-key', '--admin-token']
    .filter(flag => args.some(arg => arg === flag || arg.startsWith(`${flag}=`)))
    .map(flag => `${flag} on the command line can be read by others on this machine: use the environment`)
}

async function start(config: Config, logger: FastifyBaseLogger): Promise<{ app: App; url: string }> {
  let store: Store | undefined
  try {
    store = await openStore(config, Date.now, error => logger.warn({ err: error }, 'the connection to Redis failed'))
    const masterKeys = config.masterKeys ?? readMasterKeyFile(config.dataDir)
    const adminToken = config.adminToken ?? readAdminTokenFile(config.dataDir)
    const app = await buildApp({ config, store, masterKeys, adminToken, logger, pagesFolder })
    const url = await app.server.listen({ host: config.host, port: config.port })
    return { app, url }
  } catch (error) {
    await store?.close()
    throw error
  }
}

/**
 * `countersign serve`.
 * @returns the exit code, once the gateway has stopped or could not start
 */
export async function serve(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>
): Promise<number> {
  let config: Config
  let notes: readonly string[]
  try {
    const loaded = loadConfig(gatherEnvironment(args, env))
    config = loaded.config
    notes = [...loaded.warnings, ...warnings(args)]
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`countersign: ${error.message}\n`)
    return 1
  }
  const logger: FastifyBaseLogger = pino({ level: config.logLevel, redact })
  for (const note of notes) logger.warn({}, note)

  let started: { app: App; url: string }
  try {
    started = await start(config, logger)
  } catch (error) {
    const known = explain(error, config)
    if (known === undefined) throw error
    process.stderr.write(`countersign: ${known}\n`)
    return 1
  }
  const { app, url } = started
  process.stderr.write(greeting(config, url))

  const timer = setInterval(() => {
    app.tick().catch((error: unknown) => logger.error({ err: error }, 'a tick failed'))
  }, tickEveryMs)

  return new Promise(resolve => {
    closeWithGrace({ delay: config.drainMs + stopGraceMs, logger }, async ({ err, signal }) => {
      if (err !== undefined) logger.error({ err }, 'stopping on a fault')
      else logger.info({ signal }, 'stopping')
      await app.stop()
      clearInterval(timer)
      resolve(err === undefined ? 0 : 1)
    })
  })
}
