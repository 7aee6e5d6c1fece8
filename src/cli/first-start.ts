import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError, masterKeyPattern } from '../config/load.js'
import { createSecret } from '../registry/secrets.js'

/** The master key and the admin token of a gateway that was given none: made once, kept in the data folder. */

export const masterKeyFile = 'master.key'
export const adminTokenFile = 'admin.token'

/** Written beside and renamed into place: a start that is cut short leaves no half key behind. */
function readOrCreate(path: string, create: () => string): string {
  if (!existsSync(path)) {
    writeFileSync(`${path}.new`, `${create()}\n`, { mode: 0o600, flush: true })
    renameSync(`${path}.new`, path)
  }
  return readFileSync(path, 'utf8').trim()
}

/** @throws ConfigError when the file holds something else */
export function readMasterKeyFile(dataDir: string): readonly Uint8Array[] {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, masterKeyFile)
  const keys = readOrCreate(path, () => randomBytes(32).toString('base64')).split(',')
  if (!keys.every(key => masterKeyPattern.test(key))) {
    throw new ConfigError([`${path} does not hold the base64 of 32 bytes: put the right key back`])
  }
  return keys.map(key => Buffer.from(key, 'base64'))
}

/** @throws ConfigError when the file holds something else */
export function readAdminTokenFile(dataDir: string): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, adminTokenFile)
  const token = readOrCreate(path, () => createSecret('at'))
  if (!/^[!-~]{32,256}$/.test(token)) {
    throw new ConfigError([
      `${path} does not hold a token of 32 or more printable characters: delete it to get another`
    ])
  }
  return token
}
