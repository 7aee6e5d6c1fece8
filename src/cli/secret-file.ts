import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync
} from 'node:fs'
import { ConfigError } from '../config/load.js'

/** Files that hold a secret, and the folder that they are in. Others may have made files there before. */

/** Receives a line for whoever runs the gateway. */
export type Warn = (message: string) => void

const secretMode = 0o600
const forOthers = 0o077
const writableForOthers = 0o022
/** Far more than a list of master keys. */
const maxSecretFileBytes = 65_536

// Windows has neither of these, and no file modes.
const { O_NOFOLLOW: noFollow = 0, O_NONBLOCK: noWait = 0 }: { O_NOFOLLOW?: number; O_NONBLOCK?: number } = constants
const hasModes = process.platform !== 'win32'

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function octal({ mode }: Stats): string {
  return `0${(mode & 0o777).toString(8)}`
}

/** Whether this process may change the modes of a file. */
function isOwn({ uid }: Stats): boolean {
  const own = process.geteuid?.()
  return own === 0 || own === uid
}

/**
 * Makes the data folder with mode 0700, or closes one that is there against changes by others.
 * @param warn  absent: the mode of a folder that is there is left alone
 * @throws ConfigError if it is no folder
 */
export function ensureDataFolder(path: string, warn?: Warn): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const stats = statSync(path)
  if (!stats.isDirectory()) throw new ConfigError([`${path} is not a folder: set COUNTERSIGN_DATA_DIR to another one`])
  if (warn === undefined || !hasModes || (stats.mode & writableForOthers) === 0) return
  if (isOwn(stats)) chmodSync(path, stats.mode & 0o777 & ~writableForOthers)
  const isClosed = (statSync(path).mode & writableForOthers) === 0
  warn(
    isClosed
      ? `others could change files in ${path} (mode ${octal(stats)}): it is now closed to them`
      : `others can change files in ${path} (mode ${octal(stats)}), the master key included: run chmod 700 ${path}`
  )
}

/** Removes what an interrupted start has left, or someone else has put there; of a symlink only the link. */
function removeLeftover(path: string, warn: Warn): void {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return
  try {
    unlinkSync(path)
  } catch (error) {
    throw new ConfigError([`${path} is in the way and cannot be removed (${String(codeOf(error))}): remove it`])
  }
  warn(`removed ${path}: an interrupted start left it, or someone else put it there`)
}

/**
 * Creates a file of mode 0600 under a temporary name and renames it, so that an interrupted start leaves no partial
 * secret. It never writes into a file that is there already, nor through a symlink.
 * @throws ConfigError if the temporary name cannot be used
 */
export function createSecretFile(path: string, text: string, warn: Warn): void {
  const temporary = `${path}.new`
  removeLeftover(temporary, warn)
  let file: number
  try {
    file = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | noFollow, secretMode)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    throw new ConfigError([`${temporary} was made by another process just now: can others write to the data folder?`])
  }
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
}

/** Closes an open file to others, where its modes can be changed. @throws ConfigError if others could read it and still can */
function closeToOthers(path: string, file: number, stats: Stats, warn: Warn): void {
  if (!hasModes || (stats.mode & forOthers) === 0) return
  if (!isOwn(stats)) {
    throw new ConfigError([
      `others can access ${path} (mode ${octal(stats)}, of user ${stats.uid}): run chmod 600 ${path}`
    ])
  }
  fchmodSync(file, secretMode)
  const isClosed = (fstatSync(file).mode & forOthers) === 0
  const advice = 'if others use this machine, replace the secret'
  warn(
    isClosed
      ? `others could access ${path} (mode ${octal(stats)}): it has mode 0600 now; ${advice}`
      : `others can access ${path}, and its file system keeps no modes: ${advice}, and keep it elsewhere`
  )
}

/**
 * Reads a file that holds a secret.
 * @param warn  receives what was wrong with its modes; absent: modes are neither checked nor changed
 * @returns its text without surrounding space
 * @throws ConfigError if it is no file, too large, or open to others and not ours to close
 */
export function readSecretFile(path: string, warn?: Warn): string {
  const file = openSync(path, constants.O_RDONLY | noWait)
  try {
    const stats = fstatSync(file)
    if (!stats.isFile()) throw new ConfigError([`${path} is not a file: move it away`])
    if (stats.size > maxSecretFileBytes) {
      throw new ConfigError([`${path} has ${stats.size} bytes; the limit is ${maxSecretFileBytes}: it holds no secret`])
    }
    if (warn !== undefined) closeToOthers(path, file, stats, warn)
    return readFileSync(file, 'utf8').trim()
  } finally {
    closeSync(file)
  }
}
