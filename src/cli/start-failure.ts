import { type Config, ConfigError } from '../config/load.js'
import { UnusableStore, WrongMasterKey } from '../registry/index.js'
import { DataDirInUse, DataDirUnusable, StoreMisconfigured, StoreUnavailable } from '../store/store.js'
import { codeOf } from './errors.js'

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
  if (codeOf(error) === 'ENOSPC') {
    return `could not start: ${diskIsFull}: ${freeMore}`
  }
  if (codeOf(error) === 'EADDRINUSE') {
    return `${config.host}:${config.port} is in use: stop the program that listens there, or set COUNTERSIGN_PORT`
  }
  // The system's own message names the file or address: `ENOENT: no such file …, open 'cert.pem'`.
  if (error instanceof Error && 'syscall' in error) return `could not start: ${error.message}`
  if (error instanceof Error && String(codeOf(error)).startsWith('ERR_OSSL')) {
    return `COUNTERSIGN_TLS_CERT and COUNTERSIGN_TLS_KEY do not hold a certificate and its key: ${error.message}`
  }
  return undefined
}
