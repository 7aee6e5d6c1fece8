import { open } from 'lmdb'
import { identityKey } from '../pin.js'
import type { Row } from './staging-database.js'

/**
 * Reads the text of the identity record while a gateway runs, which has the only write access to the store.
 * @param path  the database file; it must exist
 * @returns undefined if there is none
 */
export async function readIdentityText(path: string): Promise<string | undefined> {
  const env = open({ path, maxDbs: 8, noSubdir: true, readOnly: true })
  try {
    const row: Row | undefined = env.openDB<Row, string>({ name: 'records' })?.get(identityKey)
    return row?.[1]
  } finally {
    await env.close()
  }
}
