import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { refuseOddFile } from './database-files.js'

/**
 * States that a database was closed with everything in it. The mark names the file by what no copy keeps: a folder that was
 * copied back from a backup has lost what came after the backup, and its channels must not go on as if it had not.
 */

function identityOf(path: string): string {
  const { ino, ctimeNs } = statSync(path, { bigint: true })
  return `${ino} ${ctimeNs}\n`
}

/** @param path  the database file, which is closed */
export function setCleanMark(path: string): void {
  refuseOddFile(`${path}.clean`)
  writeFileSync(`${path}.clean`, identityOf(path), { mode: 0o600 })
}

/**
 * Removes the mark.
 * @param path  the database file, which is not open yet
 * @returns whether the database was closed with everything in it
 * @throws DataDirUnusable
 */
export function consumeCleanMark(path: string): boolean {
  const mark = `${path}.clean`
  refuseOddFile(mark)
  let text: string
  try {
    text = readFileSync(mark, 'utf8')
  } catch {
    return false
  }
  const isClean = statSync(path, { throwIfNoEntry: false }) !== undefined && text === identityOf(path)
  rmSync(mark)
  return isClean
}
