import closeWithGrace, { type Signals } from 'close-with-grace'
import type { FastifyBaseLogger } from 'fastify'
import { type App, type AppOptions, buildApp } from '../app.js'
import type { Config } from '../config/load.js'
import type { Sources } from '../config/sources.js'
import { oncePerTurn, SteadyClock } from '../steady-clock.js'
import { openStore } from '../store/open.js'
import type { Store } from '../store/store.js'
import { configuredSecrets } from './configured-secrets.js'
import { readAdminTokenFile, readMasterKeyFile } from './first-start.js'
import type { ProcessLog } from './process-log.js'
import { listenForReload, reload } from './reload.js'
import { skippedEvents, stopGraceMs } from './stopping.js'
import { storeEvents } from './store-events.js'
import { UnhandledRejections } from './unhandled-rejections.js'

/** A gateway in this process: alone, or as one of several workers. */

const pagesFolder = new URL('../web/', import.meta.url)
const tickEveryMs = 1000
const monotonicNow = () => performance.now()
/** A worker gets these with the rest of its process group, and its primary stops it. */
const stopSignals: readonly Signals[] = ['SIGINT', 'SIGQUIT', 'SIGTERM']

/** Resources that a worker shares with the others. */
export type SharedOptions = Pick<AppOptions, 'workers' | 'renderMetrics'>

export interface GatewayProcess {
  readonly app: App
  /** Accepts connections. @returns the URL. The store is closed if it fails */
  listen(): Promise<string>
  /** Reads the certificate and the log level again. */
  reload(): void
  /**
   * Runs until a signal, {@link stop} or an uncaught exception stops it.
   * @param signals  `once`: the second of SIGINT, SIGQUIT and SIGTERM ends the process at once. `any`: all of them are
   *   one request to stop
   * @returns the exit code
   */
  run(signals: 'once' | 'any'): Promise<number>
  /** Stops it in order. Further calls have no effect. */
  stop(): void
}

interface Opened {
  readonly app: App
  readonly store: Store
  readonly events: { tick(): void }
}

async function open(config: Config, log: ProcessLog, shared: SharedOptions): Promise<Opened> {
  const { logger, redactor, droppedLogLines } = log
  const warn = (message: string) => logger.warn({}, message)
  const rejections = new UnhandledRejections(logger)
  process.on('unhandledRejection', rejections.record)
  const events = storeEvents(logger)
  let store: Store | undefined
  try {
    const steadyClock = new SteadyClock(oncePerTurn(monotonicNow), Date.now())
    store = await openStore(config, steadyClock.now, events)
    const masterKeys = config.masterKeys ?? readMasterKeyFile(config.dataDir, warn)
    const adminToken = config.adminToken ?? readAdminTokenFile(config.dataDir, warn)
    for (const secret of configuredSecrets({ ...config, masterKeys, adminToken })) redactor.add(secret)
    const unhandledRejections = () => rejections.count
    const app = await buildApp({
      ...{ config, store, masterKeys, adminToken, logger, droppedLogLines, pagesFolder, unhandledRejections },
      ...{ steadyClock, monotonicNow, ...shared }
    })
    return { app, store, events }
  } catch (error) {
    await store?.close()
    throw error
  }
}

async function listen({ app, store }: Opened, { host, port, tls }: Config): Promise<string> {
  try {
    const url = await app.server.listen({ host, port })
    // Fastify does not know that its server speaks TLS: it did not create it.
    return tls === undefined ? url : url.replace(/^http:/, 'https:')
  } catch (error) {
    await store.close()
    throw error
  }
}

/** @returns a function that ends the ticks */
function startTicks({ app, events }: Opened, logger: FastifyBaseLogger): () => void {
  const tick = () => {
    events.tick()
    void app.tick().catch((error: unknown) => logger.error({ err: error }, 'a tick failed'))
  }
  // The first one at once, so that pauses can be noticed from then on.
  tick()
  const timer = setInterval(tick, tickEveryMs)
  return () => clearInterval(timer)
}

/** @throws errors that `explain` explains */
export async function openGateway(
  { config, sources, log }: { config: Config; sources: Sources; log: ProcessLog },
  shared: SharedOptions = {}
): Promise<GatewayProcess> {
  const { logger } = log
  const opened = await open(config, log, shared)
  const { app } = opened
  let close: (() => void) | undefined
  const reloadAll = () => reload({ config, sources, logger, server: app.server.server })

  function run(signals: 'once' | 'any'): Promise<number> {
    const endTicks = startTicks(opened, logger)
    listenForReload(logger, reloadAll)
    const skip = signals === 'once' ? [...skippedEvents] : [...skippedEvents, ...stopSignals]
    if (signals === 'any') for (const signal of stopSignals) process.on(signal, stop)
    return new Promise(resolve => {
      const grace = closeWithGrace({ delay: config.drainMs + stopGraceMs, logger, skip }, async ({ err, signal }) => {
        close = undefined
        // After an exception any work may be half done, so the process ends, in order.
        if (err !== undefined) logger.fatal({ err }, 'stopping because of an uncaught exception')
        else logger.info({ signal }, 'stopping')
        await app.stop()
        endTicks()
        resolve(err === undefined ? 0 : 1)
      })
      close = grace.close
    })
  }

  function stop(): void {
    const first = close
    close = undefined
    first?.()
  }

  return { app, listen: () => listen(opened, config), reload: reloadAll, run, stop }
}
