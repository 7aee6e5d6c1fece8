import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  type Stats,
  statfsSync
} from 'node:fs'
import { endianness } from 'node:os'
import { dirname } from 'node:path'
import { DataDirUnusable } from '../errors.js'

/**
 * Prepares the files of the database before LMDB maps them into memory. Afterwards, a page without disk space or past
 * the file's end would kill the process with a signal and no message.
 */

/** Space for LMDB's new files (about 50 KiB) and the first changes. */
const minFreeBytes = 1_048_576
const fileMode = 0o600
const forOthers = 0o077

// The first two pages hold LMDB's meta data: a page header, MDB_MAGIC, then among others the size of a page.
const magic = 0xbeefc0de
const magicAtByte = 24
const pageBytesAtByte = 48
const headerBytes = 52
const metaPages = 2

// Windows has neither of these, and no file modes.
const { O_NOFOLLOW: noFollow = 0, O_NONBLOCK: noWait = 0 }: { O_NOFOLLOW?: number; O_NONBLOCK?: number } = constants
const hasModes = process.platform !== 'win32'

/** Files that are read or written here must not be links to places that others control. @throws DataDirUnusable */
export function refuseOddFile(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined || stats.isFile()) return
  const what = stats.isSymbolicLink() ? 'is a symlink' : 'is no regular file'
  throw new DataDirUnusable(`${path} ${what}: the store uses none; move it away, or set COUNTERSIGN_DATA_DIR`)
}

/** Whether LMDB will need space for a file. A file without blocks was left by a start on a full disk. */
function isUnwritten(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats === undefined || stats.size === 0 || (hasModes && stats.blocks === 0)
}

function requireSpace(path: string): void {
  const { bavail, bsize } = statfsSync(dirname(path))
  if (bavail * bsize < minFreeBytes) {
    throw new DataDirUnusable("the data folder's disk is full: free at least 1 MiB")
  }
}

function closeToOthers(path: string, file: number, { mode }: Stats): void {
  if (!hasModes || (mode & forOthers) === 0) return
  try {
    fchmodSync(file, fileMode)
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new DataDirUnusable(`others can access ${path}, and it cannot be closed to them (${why}): chmod 600 it`)
  }
}

function uint32At(file: number, position: number): number | undefined {
  const bytes = Buffer.alloc(4)
  if (readSync(file, bytes, 0, bytes.length, position) < bytes.length) return undefined
  return endianness() === 'LE' ? bytes.readUInt32LE() : bytes.readUInt32BE()
}

function isDatabase(file: number, sizeBytes: number): boolean {
  if (sizeBytes < headerBytes || uint32At(file, magicAtByte) !== magic) return false
  const pageBytes = uint32At(file, pageBytesAtByte) ?? 0
  return sizeBytes >= metaPages * pageBytes && uint32At(file, pageBytes + magicAtByte) === magic
}

/** Opens a file, or creates an empty one for LMDB to fill. */
function withFile(path: string, use: (file: number, stats: Stats) => void): void {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT | noFollow | noWait, fileMode)
  try {
    const stats = fstatSync(file)
    closeToOthers(path, file, stats)
    use(file, stats)
  } finally {
    // Before LMDB opens it: closing any descriptor of a file ends the process's locks on it.
    closeSync(file)
  }
}

/**
 * Makes sure that LMDB can open its files: regular files of mode 0600, with space for new ones.
 * @param path  the database file; its lock and the reserve are in the same folder
 * @throws DataDirUnusable with what to do
 */
export function prepareDatabaseFiles(path: string): void {
  const lock = `${path}-lock`
  for (const each of [path, lock, `${path}.reserve`]) refuseOddFile(each)
  if ([path, lock].some(isUnwritten)) requireSpace(path)
  withFile(path, (file, { size }) => {
    if (size === 0 || isDatabase(file, size)) return
    throw new DataDirUnusable(`${path} is no database, or is damaged: restore it from a backup, or remove it`)
  })
  withFile(lock, () => {})
}
