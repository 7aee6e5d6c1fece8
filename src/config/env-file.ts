import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { ConfigError } from './config-error.js'

/** Reads `.env` files. What cannot be read completely is refused: a setting that is skipped would pass for its default. */

/** Far above any real file: 64 KiB of settings would be hundreds of them. */
export const maxEnvFileBytes = 65_536

const bigEndianMark = Buffer.from([0xfe, 0xff])
const littleEndianMark = Buffer.from([0xff, 0xfe])
const advice = 'save it as UTF-8'

function startsWith(bytes: Uint8Array, mark: Uint8Array): boolean {
  return mark.every((byte, i) => bytes[i] === byte)
}

/** @returns the text without a byte order mark. @throws ConfigError for any encoding but UTF-8 */
function decode(path: string, bytes: Uint8Array): string {
  if (bytes.length > maxEnvFileBytes) {
    throw new ConfigError([`${path}: ${bytes.length} bytes; the limit is ${maxEnvFileBytes}`])
  }
  // Without its mark UTF-16 is valid UTF-8 with a NUL after each letter.
  if (startsWith(bytes, bigEndianMark) || startsWith(bytes, littleEndianMark) || bytes.includes(0)) {
    throw new ConfigError([`${path}: is UTF-16, not UTF-8: ${advice}`])
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new ConfigError([`${path}: is not valid UTF-8: ${advice}`])
  }
}

function readBytes(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ENOENT') return undefined
    throw new ConfigError([`${path}: cannot be read (${code}): correct its permissions, or remove it`])
  }
}

/**
 * @param path  a file that need not exist
 * @returns its variables; none without the file
 * @throws ConfigError if it cannot be read or is not UTF-8
 */
export function readEnvFile(path: string): Readonly<Record<string, string | undefined>> {
  const bytes = readBytes(path)
  return bytes === undefined ? {} : parseEnv(decode(path, bytes))
}
