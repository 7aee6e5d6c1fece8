import { readFileSync, statSync } from 'node:fs'
import { Failure } from './errors.js'

/** Text that people or spreadsheets have written. */

/**
 * @param from  where the bytes come from, for messages
 * @returns the text without a byte order mark, with which Windows' editors begin a file
 * @throws Failure for another encoding, which would make another text than the file shows
 */
export function decodeText(bytes: Uint8Array, from: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Failure(`${from} is not UTF-8: save it as UTF-8, which spreadsheets call "CSV UTF-8"`)
  }
}

/** @throws Failure if it cannot be read, or is too large */
export function readTextFile(file: string, maxBytes: number = Number.POSITIVE_INFINITY): string {
  let bytes: Uint8Array | undefined
  try {
    if (statSync(file).size <= maxBytes) bytes = readFileSync(file)
  } catch {
    throw new Failure(`${file} cannot be read`)
  }
  if (bytes === undefined) throw new Failure(`${file} has more than ${maxBytes} bytes: split it`)
  return decodeText(bytes, file)
}
