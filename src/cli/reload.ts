import type { Server } from 'node:http'
import { Server as TlsServer } from 'node:tls'
import type { FastifyBaseLogger } from 'fastify'
import { readCertificate } from '../config/certificate.js'
import type { Config } from '../config/load.js'
import { logLevels } from '../config/schema.js'
import { readLogLevel, rereadWaitMs, type Sources } from '../config/sources.js'
import { messageOf } from './errors.js'

/** SIGHUP: reads the certificate and the log level again. No session ends, and no other setting changes. */

export interface Reloaded {
  readonly config: Config
  readonly sources: Sources
  readonly logger: FastifyBaseLogger
  readonly server: Server
}

/** Open connections keep the old certificate. All connections keep it if the new pair does not match. */
function reloadCertificate({ config: { tls }, logger, server }: Reloaded): void {
  if (tls === undefined || !(server instanceof TlsServer)) return
  try {
    server.setSecureContext(readCertificate(tls, rereadWaitMs))
    logger.info({ certFile: tls.certFile }, 'the certificate was read again')
  } catch (error) {
    const files = `${tls.certFile} and ${tls.keyFile}`
    logger.error({ reason: messageOf(error) }, `the old certificate stays: ${files} cannot be used: correct them`)
  }
}

/** Applies to open sessions, too. */
export function reloadLogLevel({ sources, logger }: Pick<Reloaded, 'sources' | 'logger'>): void {
  try {
    const { level = 'info', faults } = readLogLevel(sources)
    // As at the start: a setting that is not read would silently have its default.
    if (faults.length > 0) {
      logger.error({ faults }, 'the log level stays: correct these lines of .env, which would also stop a start')
      return
    }
    if (!logLevels.includes(level)) {
      logger.error({ level: logger.level }, 'the log level stays: COUNTERSIGN_LOG_LEVEL of .env is none of the levels')
      return
    }
    const previous = logger.level
    logger.level = level
    // At the lower of both levels, a line about the change could be lost.
    if (level !== previous) logger.warn({ previous, level }, 'the log level was changed')
  } catch (error) {
    logger.error({ reason: messageOf(error) }, 'the log level stays: .env cannot be read')
  }
}

/** Without a listener both signals would end the process. */
export function listenForReload(logger: FastifyBaseLogger, onHangUp: () => void): void {
  process.on('SIGHUP', onHangUp)
  process.on('SIGUSR2', () => logger.info({}, 'SIGUSR2 is ignored: SIGHUP reads certificates and the log level'))
}

/** Reads the certificate files and COUNTERSIGN_LOG_LEVEL of `.env` again. It never throws. */
export function reload(reloaded: Reloaded): void {
  reloadCertificate(reloaded)
  reloadLogLevel(reloaded)
}
