import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'

/**
 * Time for a pipe's writer to write and close it, in milliseconds: a command may first have to ask a server for a
 * secret.
 */
export const pipeWaitMs = 10_000
/** Pause between two reads of a pipe, in milliseconds. */
const pauseMs = 10

const sleeper = new Int32Array(new SharedArrayBuffer(4))

/** A pipe without a writer is at its end from the beginning; one whose writer has not written yet gives EAGAIN. */
function readSome(file: number, bytes: Buffer, length: number): number | undefined {
  try {
    return readSync(file, bytes, length, bytes.length - length, null)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return undefined
    throw error
  }
}

/** @throws Error if the pipe is not written and closed in time */
function readPipe(file: number, bytes: Buffer, waitMs: number): number {
  const until = performance.now() + waitMs
  for (let length = 0; ; ) {
    const count = readSome(file, bytes, length)
    length += count ?? 0
    if (length === bytes.length || (count === 0 && length > 0)) return length
    if (count !== undefined && count > 0) continue
    if (performance.now() >= until) {
      throw new Error(`is a pipe that nobody ${length > 0 ? 'closed' : 'wrote to'} within ${waitMs / 1000} s`)
    }
    Atomics.wait(sleeper, 0, 0, pauseMs)
  }
}

function readAll(file: number, bytes: Buffer): number {
  let length = 0
  for (let count = -1; count !== 0 && length < bytes.length; length += count) {
    count = readSync(file, bytes, length, bytes.length - length, null)
  }
  return length
}

/**
 * Reads a file of bounded size. A named pipe is opened without waiting for its writer, so that a pipe without one does
 * not block the process.
 * @param path    a file, `/dev/stdin`, or a pipe such as those of a shell's process substitution
 * @param limit   most bytes that are read
 * @param waitMs  longest wait for a pipe, which blocks the process
 * @returns at most `limit` bytes
 * @throws Error with a `code`, or with a message that continues a sentence after the path
 */
export function readBoundedFile(path: string, limit: number, waitMs: number = pipeWaitMs): Buffer {
  const isPipe = statSync(path).isFIFO()
  const file = openSync(path, isPipe ? constants.O_RDONLY | constants.O_NONBLOCK : constants.O_RDONLY)
  try {
    if (fstatSync(file).isDirectory()) throw new Error('is a folder')
    // A pipe has no size, so reads are bounded instead.
    const bytes = Buffer.alloc(limit)
    return bytes.subarray(0, isPipe ? readPipe(file, bytes, waitMs) : readAll(file, bytes))
  } finally {
    closeSync(file)
  }
}

/** The system's error code of an error from {@link readBoundedFile}, or its message. */
export function whyUnread(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error ? String(error.code) : error.message
}
