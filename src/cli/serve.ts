import { isAbsolute, join, relative } from 'node:path'
import closeWithGrace from 'close-with-grace'
import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'
import { type App, buildApp } from '../app.js'
import { type Config, ConfigError, loadSources } from '../config/load.js'
import { secretSettings } from '../config/secret-files.js'
import { flagOf, type Sources } from '../config/sources.js'
import { createLogDestination } from '../log/log-destination.js'
import { loggerOptions } from '../log/logger-options.js'
import { createOutages } from '../log/outages.js'
import { Redactor } from '../log/redactor.js'
import { createRepeatedEvents } from '../log/repeated-events.js'
import { UnusableStore, WrongMasterKey } from '../registry/index.js'
import { SteadyClock } from '../steady-clock.js'
import { openStore, type StoreEvents } from '../store/open.js'
import { DataDirInUse, DataDirUnusable, type Store, StoreMisconfigured, StoreUnavailable } from '../store/store.js'
import { configuredSecrets } from './configured-secrets.js'
import { checkRedis } from './doctor-redis.js'
import { adminTokenFile, readAdminTokenFile, readMasterKeyFile } from './first-start.js'
import { type Reloaded, reload } from './reload.js'
import { UnhandledRejections } from './unhandled-rejections.js'

/** `countersign serve`: the process of a gateway. */

const pagesFolder = new URL('../web/', import.meta.url)
const tickEveryMs = 1000
const monotonicNow = () => performance.now()
/** Time for stopping, in addition to the drain, before the process is ended. */
const stopGraceMs = 10_000
/** As the embedded store reports it. */
const diskIsFull = "the data folder's disk is full"
/** 1 MiB for the disk reserve, the rest for the database. */
const freeMore = 'free at least 2 MiB'

function explainStore({ cause }: StoreUnavailable, { store }: Config): string {
  if (store.kind === 'redis')
    return `could not start: ${cause instanceof Error ? cause.message : 'Redis does not answer'}`
  const reason = cause instanceof Error ? cause.message : 'the embedded store does not answer'
  return `could not start: ${reason}${reason === diskIsFull ? `: ${freeMore}` : ''}`
}

/** Why a start failed and what to do, in one line. @returns undefined for an unexpected error */
export function explain(error: unknown, config: Config): string | undefined {
  if (error instanceof ConfigError || error instanceof WrongMasterKey) return error.message
  if (error instanceof UnusableStore || error instanceof DataDirUnusable) return error.message
  if (error instanceof StoreMisconfigured) return error.message
  if (error instanceof DataDirInUse) {
    return `another countersign process uses ${config.dataDir}: stop it, or set COUNTERSIGN_DATA_DIR to another folder`
  }
  if (error instanceof StoreUnavailable) return explainStore(error, config)
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') {
    return `could not start: ${diskIsFull}: ${freeMore}`
  }
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return `${config.host}:${config.port} is in use: stop the program that listens there, or set COUNTERSIGN_PORT`
  }
  // The system's own message names the file or address: `ENOENT: no such file …, open 'cert.pem'`.
  if (error instanceof Error && 'syscall' in error) return `could not start: ${error.message}`
  if (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_OSSL')) {
    return `COUNTERSIGN_TLS_CERT and COUNTERSIGN_TLS_KEY do not hold a certificate and its key: ${error.message}`
  }
  return undefined
}

function relativePath(path: string): string {
  const near = relative(process.cwd(), path)
  return near.startsWith('..') || isAbsolute(near) ? path : `./${near}`
}

/** Addresses and files for someone who has just started the gateway. */
function greeting(config: Config, url: string): string {
  const store = config.store.kind === 'embedded' ? `embedded, in ${relativePath(config.dataDir)}` : 'Redis'
  const token =
    config.adminToken === undefined ? `in ${relativePath(join(config.dataDir, adminTokenFile))}` : 'as configured'
  return `
  Countersign is listening on ${url}
  store        ${store}
  admin token  ${token}
  try it       ${url}/demo   (README.md: create a client and a license first)
  reference    ${url}/docs   (PROTOCOL.md specifies the wire protocol)
  health       ${url}/readyz   ${url}/metrics

`
}

/** Other users can read a process's command line. */
function warnOfSecrets({ flags, secretFiles }: Sources): string[] {
  return secretSettings
    .filter(name => name !== 'COUNTERSIGN_STORE' && flags[name] !== undefined && secretFiles[name] === undefined)
    .map(
      name => `--${flagOf(name)} can be read by others on this machine: use --${flagOf(name)}-file or the environment`
    )
}

/** What the store reports, for the log. Call `tick` about once a second. */
function storeEvents(logger: FastifyBaseLogger): StoreEvents & { tick(): void } {
  const outages = createOutages(
    monotonicNow,
    reason => logger.warn({ reason }, 'the connection to Redis failed: an outage begins'),
    outage => logger.warn(outage, 'the connection to Redis works again: the outage has ended')
  )
  const refusals = createRepeatedEvents(monotonicNow, (reason, suppressed) =>
    logger.warn({ reason, suppressed }, 'Redis refused more of the connections')
  )
  return {
    valueUnreadable: storeKey =>
      logger.warn({ storeKey }, 'a stored value is not one that a gateway wrote: restore the store, or delete the key'),
    connectionFailed(error) {
      if (error.name !== 'ReplyError') return outages.failed(error)
      // Redis answers, so that this is a fault of its own, e.g. a wrong password.
      const reason = error.message.split(' ', 1)[0] ?? ''
      // Its message may name the user. What it means is explained by `connectionRefused`.
      refusals.record(reason, () => logger.warn({ reason }, 'Redis refused the connection'))
    },
    connectionRefused: (cause, todo) => logger.warn({ cause }, `Redis cannot be used: ${cause}: ${todo}`),
    tick() {
      outages.tick()
      refusals.tick()
    },
    writesFail: error => logger.error({ err: error }, `changes are refused: ${error.message}`),
    writesWork: () => logger.info({}, 'changes are accepted again')
  }
}

interface ProcessLog {
  readonly logger: FastifyBaseLogger
  /** Lines dropped since the start. */
  readonly droppedLogLines: () => number
  readonly redactor: Redactor
}

/** The log on standard output. */
function openLog(config: Config): ProcessLog {
  const stdout = 1
  const lines = createLogDestination(stdout, dropped =>
    logger.warn({ dropped }, 'log lines were dropped: what reads them was too slow')
  )
  const redactor = new Redactor(configuredSecrets(config))
  const redacted = { write: (line: string) => lines.write(redactor.redact(line)) }
  const logger: FastifyBaseLogger = pino(loggerOptions(config.logLevel, redactor), redacted)
  return { logger, redactor, droppedLogLines: () => lines.droppedLines }
}

async function start(
  config: Config,
  log: ProcessLog,
  rejections: UnhandledRejections,
  events: StoreEvents
): Promise<{ app: App; url: string }> {
  const { logger, redactor, droppedLogLines } = log
  const warn = (message: string) => logger.warn({}, message)
  let store: Store | undefined
  try {
    const steadyClock = new SteadyClock(monotonicNow, Date.now())
    store = await openStore(config, steadyClock.now, events)
    const masterKeys = config.masterKeys ?? readMasterKeyFile(config.dataDir, warn)
    const adminToken = config.adminToken ?? readAdminTokenFile(config.dataDir, warn)
    for (const secret of configuredSecrets({ ...config, masterKeys, adminToken })) redactor.add(secret)
    const unhandledRejections = () => rejections.count
    const app = await buildApp({
      ...{ config, store, masterKeys, adminToken, logger, droppedLogLines, pagesFolder, unhandledRejections },
      ...{ steadyClock, monotonicNow }
    })
    const url = await app.server.listen({ host: config.host, port: config.port })
    // Fastify does not know that its server speaks TLS: it did not create it.
    return { app, url: config.tls === undefined ? url : url.replace(/^http:/, 'https:') }
  } catch (error) {
    await store?.close()
    throw error
  }
}

/** Logs once each what `countersign doctor` finds wrong with Redis. */
async function warnOfStore({ store }: Config, { logger, redactor }: ProcessLog): Promise<void> {
  if (store.kind !== 'redis') return
  try {
    for (const { ok, text, todo } of await checkRedis(store, Date.now)) {
      if (!ok) logger.warn({ check: 'store' }, redactor.redact(`${text}: ${todo}`))
    }
  } catch (error) {
    logger.debug({ err: error }, 'could not check Redis')
  }
}

/** Without a listener both signals would end the process. */
function listenForReload(reloaded: Reloaded): void {
  process.on('SIGHUP', () => reload(reloaded))
  process.on('SIGUSR2', () =>
    reloaded.logger.info({}, 'SIGUSR2 is ignored: SIGHUP reads certificates and the log level')
  )
}

/**
 * Runs until a signal or an uncaught exception stops it. After an exception anything may be half done, so the process
 * ends, in order; a rejection ends nothing (see UnhandledRejections).
 * @returns the exit code
 */
function runUntilStopped(
  app: App,
  config: Config,
  logger: FastifyBaseLogger,
  events: { tick(): void }
): Promise<number> {
  const tick = () => {
    events.tick()
    void app.tick().catch((error: unknown) => logger.error({ err: error }, 'a tick failed'))
  }
  // The first one at once: a pause can be noticed from then on.
  tick()
  const timer = setInterval(tick, tickEveryMs)
  return new Promise(resolve => {
    const skip = ['unhandledRejection', 'SIGHUP', 'SIGUSR2'] as const
    const options = { delay: config.drainMs + stopGraceMs, logger, skip: [...skip] }
    closeWithGrace(options, async ({ err, signal }) => {
      if (err !== undefined) logger.fatal({ err }, 'stopping because of an uncaught exception')
      else logger.info({ signal }, 'stopping')
      await app.stop()
      clearInterval(timer)
      resolve(err === undefined ? 0 : 1)
    })
  })
}

/**
 * Runs a gateway.
 * @returns the exit code, when the gateway has stopped or could not start
 * @throws ConfigError with every fault of the configuration
 */
export async function serve(sources: Sources): Promise<number> {
  const { config, warnings } = loadSources(sources)
  const log = openLog(config)
  const { logger } = log
  for (const warning of [...warnings, ...warnOfSecrets(sources)]) logger.warn({}, warning)
  const rejections = new UnhandledRejections(logger)
  process.on('unhandledRejection', rejections.record)
  const events = storeEvents(logger)
  try {
    const { app, url } = await start(config, log, rejections, events)
    process.stderr.write(greeting(config, url))
    listenForReload({ config, sources, logger, server: app.server.server })
    void warnOfStore(config, log)
    return runUntilStopped(app, config, logger, events)
  } catch (error) {
    const known = explain(error, config)
    if (known === undefined) throw error
    process.stderr.write(`countersign: ${log.redactor.redact(known)}\n`)
    return 1
  }
}
