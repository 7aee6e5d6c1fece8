import { closeSync, openSync } from 'node:fs'
import { tryLock } from 'fs-native-extensions'
import { DataDirInUse } from '../store.js'

/**
 * Takes a data folder for this process by a lock of the operating system, which a killed process cannot leave behind.
 * @param path  the lock file
 * @returns the undoing
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
