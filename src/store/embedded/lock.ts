import { closeSync, openSync } from 'node:fs'
import { tryLock } from 'fs-native-extensions'
import { DataDirInUse } from '../errors.js'

/**
 * Locks a data folder for this process. The operating system releases the lock when the process ends, even if killed.
 * @param path  the lock file
 * @returns unlocks the folder
 * @throws DataDirInUse
 */
export function lockDataDir(path: string): () => void {
  const file = openSync(path, 'a+', 0o600)
  if (!tryLock(file)) {
    closeSync(file)
    throw new DataDirInUse()
  }
  return () => closeSync(file)
}
