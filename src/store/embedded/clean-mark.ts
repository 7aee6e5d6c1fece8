import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { refuseOddFile } from './database-files.js'

/**
 * Marks a database that was closed completely written. The mark identifies the file by attributes that a copy does not
 * keep: a folder restored from a copy lacks later publications, so its channels must not continue their epochs.
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
 * @returns whether the database was closed completely written
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
