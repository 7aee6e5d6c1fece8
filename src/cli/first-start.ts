import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../config/load.js'
import { masterKeyPattern } from '../config/rules.js'
import { createSecret } from '../registry/secrets.js'

/** Generates the master key and the admin token of a gateway that was given none, and keeps them in the data folder. */

export const masterKeyFile = 'master.key'
export const adminTokenFile = 'admin.token'

/** Writes to a temporary file and renames it, so that an interrupted start leaves no partial key. */
function readOrCreate(path: string, create: () => string): string {
  if (!existsSync(path)) {
    writeFileSync(`${path}.new`, `${create()}\n`, { mode: 0o600, flush: true })
    renameSync(`${path}.new`, path)
  }
  return readFileSync(path, 'utf8').trim()
}

/** @returns 32 bytes each, the encrypting key first. @throws ConfigError if the file holds something else */
export function readMasterKeyFile(dataDir: string): readonly Uint8Array[] {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, masterKeyFile)
  const keys = readOrCreate(path, () => randomBytes(32).toString('base64')).split(',')
  if (!keys.every(key => masterKeyPattern.test(key))) {
    throw new ConfigError([`${path} does not hold the base64 of 32 bytes: restore the right key`])
  }
  return keys.map(key => Buffer.from(key, 'base64'))
}

/** @throws ConfigError if the file holds something else */
export function readAdminTokenFile(dataDir: string): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, adminTokenFile)
  const token = readOrCreate(path, () => createSecret('at'))
  if (!/^[!-~]{32,256}$/.test(token)) {
    throw new ConfigError([
      `${path} does not hold a token of 32 or more printable characters: delete it to generate another`
    ])
  }
  return token
}
