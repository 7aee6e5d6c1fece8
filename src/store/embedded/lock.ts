import { closeSync, constants, openSync } from 'node:fs'
import { tryLock } from 'fs-native-extensions'
import { DataDirInUse } from '../errors.js'
import { refuseOddFile } from './database-files.js'

// Windows has none of these.
const { O_NOFOLLOW: noFollow = 0 }: { O_NOFOLLOW?: number } = constants

/**
 * Locks a data folder for this process. The operating system releases the lock when the process ends, even if killed.
 * @param path  the lock file
 * @returns a function that unlocks the folder
 * @throws DataDirInUse, DataDirUnusable
 */
export function lockDataDir(path: string): () => void {
  refuseOddFile(path)
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | noFollow, 0o600)
  if (!tryLock(file)) {
    closeSync(file)
    throw new DataDirInUse()
  }
  return () => closeSync(file)
}
