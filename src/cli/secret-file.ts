import {
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
  unlinkSync
} from 'node:fs'
import { ConfigError } from '../config/load.js'
import { codeOf } from './errors.js'
import { noFollow, writeAll } from './new-file.js'

/** Files with a secret, and their folder. Others may have created files there before. */

/** Receives a line for the operator. */
export type Warn = (message: string) => void

const secretMode = 0o600
const forOthers = 0o077
const writableForOthers = 0o022
const readableForGroup = 0o040
/** Far more than a list of master keys. */
const maxSecretFileBytes = 65_536

// Windows has no such flag, and no file modes.
const { O_NONBLOCK: noWait = 0 }: { O_NONBLOCK?: number } = constants
const hasModes = process.platform !== 'win32'

function octal({ mode }: Stats): string {
  return `0${(mode & 0o777).toString(8)}`
}

/** Whether a file can be read only by its owner and a group of this process, as Kubernetes mounts secrets with `fsGroup`. */
function isOfOwnGroup({ gid, mode }: Stats): boolean {
  const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])]
  return (mode & forOthers & ~readableForGroup) === 0 && groups.includes(gid)
}

/** Whether others can access a file, other than a group that its owner has let this process read it with. */
export function isOpenToOthers(stats: Stats): boolean {
  return (stats.mode & forOthers) !== 0 && (stats.uid === process.geteuid?.() || !isOfOwnGroup(stats))
}

/** Changes the modes of an open file, never of a file that has replaced it. @returns why they cannot be changed */
function changeMode(file: number, mode: number): string | undefined {
  try {
    fchmodSync(file, mode)
    return undefined
  } catch (error) {
    // A read-only mount, the file of another user, a file system without modes.
    const code = String(codeOf(error))
    if (!['EROFS', 'EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) throw error
    return code
  }
}

function closeFolder(path: string): void {
  let folder: number
  try {
    folder = openSync(path, constants.O_RDONLY)
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error
    return // another user's, and not for this one to list
  }
  try {
    changeMode(folder, fstatSync(folder).mode & 0o777 & ~writableForOthers)
  } finally {
    closeSync(folder)
  }
}

/**
 * Creates the data folder with mode 0700, or closes an existing one against changes by others.
 * @param warn  absent: the mode of an existing folder stays unchanged
 * @throws ConfigError if it is not a folder
 */
export function ensureDataFolder(path: string, warn?: Warn): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const stats = statSync(path)
  if (!stats.isDirectory()) throw new ConfigError([`${path} is not a folder: set COUNTERSIGN_DATA_DIR to another one`])
  if (warn === undefined || !hasModes || (stats.mode & writableForOthers) === 0) return
  closeFolder(path)
  const isClosed = (statSync(path).mode & writableForOthers) === 0
  warn(
    isClosed
      ? `others could change files in ${path} (mode ${octal(stats)}): it is now closed to them`
      : `others can change files in ${path} (mode ${octal(stats)}), the master key included: run chmod 700 ${path}`
  )
}

/** Removes remains of an interrupted start, or files put there by others; of a symlink only the link. */
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
 * secret. It never writes into an existing file, nor through a symlink.
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
    writeAll(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
}

/** The remaining advice about a file that cannot be closed. @throws ConfigError if others can write to it */
function decideOnOpenFile(path: string, stats: Stats, why: string, warn: Warn): void {
  if (isOfOwnGroup(stats)) return
  const what = `(mode ${octal(stats)}, of user ${stats.uid}), and it cannot be closed to them (${why})`
  const todo = `run chmod 600 ${path} as its owner, or mount it with mode 0400`
  if ((stats.mode & writableForOthers) !== 0) throw new ConfigError([`others can change ${path} ${what}: ${todo}`])
  warn(`others can read ${path} ${what}: ${todo}`)
}

/**
 * Closes an open file to others, if its modes can be changed. @throws ConfigError if others can write to it and still
 * can
 */
function closeToOthers(path: string, { file, isLink }: OpenFile, stats: Stats, warn: Warn): void {
  if (!hasModes || (stats.mode & forOthers) === 0) return
  // The target of a symlink may be anything.
  const why = isLink ? 'it is a symlink' : changeMode(file, secretMode)
  if (why !== undefined) {
    decideOnOpenFile(path, stats, why, warn)
    return
  }
  const isClosed = (fstatSync(file).mode & forOthers) === 0
  const advice = 'if others use this machine, replace the secret'
  warn(
    isClosed
      ? `others could access ${path} (mode ${octal(stats)}): it has mode 0600 now; ${advice}`
      : `others can access ${path}, and its file system keeps no modes: ${advice}, and keep it elsewhere`
  )
}

interface OpenFile {
  readonly file: number
  /** Whether a symlink led to it, as in Kubernetes' mounts. */
  readonly isLink: boolean
}

function openToRead(path: string): OpenFile {
  const flags = constants.O_RDONLY | noWait
  try {
    return { file: openSync(path, flags | noFollow), isLink: false }
  } catch (error) {
    // FreeBSD reports EMLINK.
    if (!['ELOOP', 'EMLINK'].includes(String(codeOf(error)))) throw error
    return { file: openSync(path, flags), isLink: true }
  }
}

/**
 * Reads a file that holds a secret, also through a symlink.
 * @param warn  receives faults of its modes; absent: modes are neither checked nor changed
 * @returns its text without surrounding space
 * @throws ConfigError if it is not a file, is too large, or others can write to it and it cannot be closed
 */
export function readSecretFile(path: string, warn?: Warn): string {
  const open = openToRead(path)
  const { file } = open
  try {
    const stats = fstatSync(file)
    if (!stats.isFile()) throw new ConfigError([`${path} is not a file: move it away`])
    if (stats.size > maxSecretFileBytes) {
      throw new ConfigError([`${path} has ${stats.size} bytes; the limit is ${maxSecretFileBytes}: it holds no secret`])
    }
    if (warn !== undefined) closeToOthers(path, open, stats, warn)
    return readFileSync(file, 'utf8').trim()
  } finally {
    closeSync(file)
  }
}
