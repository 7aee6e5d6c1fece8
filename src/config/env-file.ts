import { ConfigError } from './config-error.js'
import { type EnvFile, parseEnvLines } from './env-lines.js'
import { pipeWaitMs, readBoundedFile, whyUnread } from './read-file.js'

/**
 * Reads `.env` files. Refuses files that cannot be read completely: a skipped setting would silently have its default.
 */

/** Far above any real file: 64 KiB of settings would be hundreds of them. */
export const maxEnvFileBytes = 65_536

const bigEndianMark = Buffer.from([0xfe, 0xff])
const littleEndianMark = Buffer.from([0xff, 0xfe])
const advice = 'save it as UTF-8'

function startsWith(bytes: Uint8Array, mark: Uint8Array): boolean {
  return mark.every((byte, i) => bytes[i] === byte)
}

/**
 * UTF-16 without a byte order mark is valid UTF-8 with a NUL beside each ASCII letter: all at even offsets, or all at
 * odd ones.
 */
function isUnmarkedUtf16(bytes: Uint8Array): boolean {
  const nuls = [0, 0]
  for (const [i, byte] of bytes.entries()) if (byte === 0) nuls[i % 2] = (nuls[i % 2] ?? 0) + 1
  return Math.min(...nuls) === 0 && Math.max(...nuls) > bytes.length / 4
}

/** @returns the text without a byte order mark. @throws ConfigError for any encoding but UTF-8 */
function decode(path: string, bytes: Uint8Array): string {
  if (bytes.length > maxEnvFileBytes) {
    throw new ConfigError([`${path}: too many bytes; the limit is ${maxEnvFileBytes}`])
  }
  if (startsWith(bytes, bigEndianMark) || startsWith(bytes, littleEndianMark) || isUnmarkedUtf16(bytes)) {
    throw new ConfigError([`${path}: is UTF-16, not UTF-8: ${advice}`])
  }
  const nulAt = bytes.indexOf(0)
  if (nulAt !== -1) {
    const line = bytes.subarray(0, nulAt).filter(byte => byte === 0x0a).length + 1
    throw new ConfigError([`${path} line ${line}: holds a NUL byte: remove it`])
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new ConfigError([`${path}: is not valid UTF-8: ${advice}`])
  }
}

function readBytes(path: string, waitMs: number): Uint8Array | undefined {
  try {
    return readBoundedFile(path, maxEnvFileBytes + 1, waitMs)
  } catch (error) {
    const why = whyUnread(error)
    if (why === 'ENOENT') return undefined
    throw new ConfigError([`${path}: cannot be read (${why}): correct it, or remove it`])
  }
}

/**
 * @param path    may be missing
 * @param waitMs  longest wait for a pipe, in milliseconds
 * @returns its variables and the faults of its lines; none if the file is missing
 * @throws ConfigError if it cannot be read or is not UTF-8
 */
export function readEnvFile(path: string, waitMs: number = pipeWaitMs): EnvFile {
  const bytes = readBytes(path, waitMs)
  return bytes === undefined ? { variables: {}, faults: [] } : parseEnvLines(path, decode(path, bytes))
}
