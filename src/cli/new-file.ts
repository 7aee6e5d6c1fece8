import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync
} from 'node:fs'
import type { Io } from './command.js'
import { codeOf, Failure } from './errors.js'
import { write } from './output.js'

/** Files that commands write. Others may have put something in their place before. */

// Windows has no such flag.
export const { O_NOFOLLOW: noFollow = 0 }: { O_NOFOLLOW?: number } = constants

/**
 * Writes all of the data: on a disk that fills up, one call writes a part and reports no error.
 * @param writeSome  as `writeSync`
 */
export function writeAll(
  handle: number,
  data: string | Uint8Array,
  writeSome: (handle: number, bytes: Uint8Array, offset: number) => number = writeSync
): void {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  for (let written = 0; written < bytes.length; ) written += writeSome(handle, bytes, written)
}

/** Converts an error of the file system into a failure; other errors stay unchanged. */
export function writeFailure(file: string, error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) return error
  const isFull = error.code === 'ENOSPC' || error.code === 'EDQUOT'
  return new Failure(`${file} cannot be written: ${isFull ? 'its disk is full' : String(error.code)}`)
}

/** Runs work that writes to a file. @throws Failure for an error of the file system */
export function writing<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw writeFailure(file, error)
  }
}

/**
 * Creates a file of mode 0600 and fills it; one that cannot be filled is removed. An existing file is never touched.
 * @param hint  what to do if the file exists
 * @param fill  writes the content
 * @throws Failure if the file cannot be created, and what `fill` throws
 */
export async function fillNewFile<T>(file: string, hint: string, fill: (handle: number) => Promise<T>): Promise<T> {
  let handle: number
  try {
    handle = openSync(file, 'wx', 0o600)
  } catch (error) {
    throw new Failure(codeOf(error) === 'EEXIST' ? `${file} exists: ${hint}` : `${file} cannot be written`)
  }
  try {
    return await fill(handle)
  } catch (error) {
    rmSync(file, { force: true })
    throw error
  } finally {
    closeSync(handle)
  }
}

/** A rename would put a file in the place of a device or pipe, `/dev/null` for example. */
function requireFile(file: string): void {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === false) {
    throw new Failure(`${file} is not a file: name another one, or write to stdout`)
  }
}

/** Writes a piece of text. */
export type Put = (text: string) => Promise<void> | void

function isAt(path: string, handle: number): boolean {
  const there = lstatSync(path, { throwIfNoEntry: false })
  const ours = fstatSync(handle)
  return there?.ino === ours.ino && there.dev === ours.dev
}

/**
 * Writes to a temporary file of mode 0600 and renames it, so that an interrupted export leaves no partial file. An
 * existing file under the temporary name, left by an interrupted export or put there by others, is removed, and no
 * symlink is followed.
 * @param fill  writes the content through its argument
 * @throws Failure if the file cannot be written, and errors of `fill`
 */
export async function writeNewFile<T>(file: string, fill: (put: Put) => Promise<T>): Promise<T> {
  const partial = `${file}.part`
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | noFollow
  const handle = writing(partial, () => {
    requireFile(file)
    rmSync(partial, { force: true })
    return openSync(partial, flags, 0o600)
  })
  try {
    const filled = await fill(text => writing(partial, () => writeAll(handle, text)))
    writing(file, () => {
      fsyncSync(handle)
      if (!isAt(partial, handle)) throw new Failure(`${partial} was replaced meanwhile: does another export run?`)
      renameSync(partial, file)
    })
    return filled
  } finally {
    if (isAt(partial, handle)) rmSync(partial, { force: true })
    closeSync(handle)
  }
}

/** The same, to stdout if no file is named. */
export function writeOutput<T>({ stdout }: Io, file: string | undefined, fill: (put: Put) => Promise<T>): Promise<T> {
  return file === undefined ? fill(text => write(stdout, text)) : writeNewFile(file, fill)
}
