import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'
import type { Config } from '../config/load.js'
import { createLogDestination, type LogDestination, maxPendingLogBytes } from '../log/log-destination.js'
import { loggerOptions } from '../log/logger-options.js'
import { Redactor } from '../log/redactor.js'
import { configuredSecrets } from './configured-secrets.js'

export interface ProcessLog {
  readonly logger: FastifyBaseLogger
  /** Lines dropped since the start. */
  readonly droppedLogLines: () => number
  readonly redactor: Redactor
}

const stdout = 1

/**
 * The log on standard output.
 * @param fields    members of each line
 * @param isShared  whether other processes write there too
 */
export function openLog(config: Config, fields: object = {}, isShared = false): ProcessLog {
  const report = (dropped: number) => logger.warn({ dropped }, 'log lines were dropped: what reads them was too slow')
  const lines: LogDestination = createLogDestination(stdout, report, maxPendingLogBytes, isShared)
  const redactor = new Redactor(configuredSecrets(config))
  const redacted = { write: (line: string) => lines.write(redactor.redact(line)) }
  const logger: FastifyBaseLogger = pino(loggerOptions(config.logLevel, redactor), redacted).child(fields)
  return { logger, redactor, droppedLogLines: () => lines.droppedLines }
}
