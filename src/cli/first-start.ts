import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../config/load.js'
import { masterKeyPattern } from '../config/rules.js'
import { adminTokenPattern } from '../config/schema.js'
import { createSecret } from '../registry/secrets.js'
import { createSecretFile, ensureDataFolder, readSecretFile, type Warn } from './secret-file.js'

/** Generates the missing master key and admin token of a gateway, and stores them in the data folder. */

export const masterKeyFile = 'master.key'
export const adminTokenFile = 'admin.token'

function readOrCreate(path: string, create: () => string, warn: Warn | undefined): string {
  if (!existsSync(path)) createSecretFile(path, `${create()}\n`, warn ?? (() => {}))
  return readSecretFile(path, warn)
}

/**
 * @param warn  receives faults of the modes of the file or its folder; absent: modes are left alone
 * @returns 32 bytes each, the encrypting key first
 * @throws ConfigError if the file holds something else, or others can write to it and it cannot be closed
 */
export function readMasterKeyFile(dataDir: string, warn?: Warn): readonly Uint8Array[] {
  ensureDataFolder(dataDir, warn)
  const path = join(dataDir, masterKeyFile)
  const keys = readOrCreate(path, () => randomBytes(32).toString('base64'), warn).split(',')
  if (!keys.every(key => masterKeyPattern.test(key))) {
    throw new ConfigError([`${path} does not hold the base64 of 32 bytes: restore the right key`])
  }
  return keys.map(key => Buffer.from(key, 'base64'))
}

/**
 * @param warn  see {@link readMasterKeyFile}
 * @throws ConfigError if the file holds something else, or others can write to it and it cannot be closed
 */
export function readAdminTokenFile(dataDir: string, warn?: Warn): string {
  ensureDataFolder(dataDir, warn)
  const path = join(dataDir, adminTokenFile)
  const token = readOrCreate(path, () => createSecret('at'), warn)
  if (!new RegExp(adminTokenPattern).test(token)) {
    throw new ConfigError([
      `${path} does not hold a token of 32 or more printable characters: delete it to generate another`
    ])
  }
  return token
}
