import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { Failure } from './errors.js'

/**
 * Writes to a temporary file of mode 0600 and renames it, so that an interrupted export leaves no partial file.
 * @param fill  writes the content through its argument
 * @throws Failure if the file cannot be written, and what `fill` throws
 */
export async function writeNewFile(file: string, fill: (put: (text: string) => void) => Promise<void>): Promise<void> {
  const partial = `${file}.part`
  let handle: number
  try {
    handle = openSync(partial, 'w', 0o600)
  } catch {
    throw new Failure(`${partial} cannot be written`)
  }
  try {
    await fill(chunk => void writeSync(handle, chunk))
    renameSync(partial, file)
  } finally {
    closeSync(handle)
    rmSync(partial, { force: true })
  }
}
