import type { BackupHeader, BackupLine, BackupTrailer } from '../../src/registry/backup.js'
import type { Registry } from '../../src/registry/index.js'

/** Backups, made and restored without a gateway. */

/** A backup, read line by line. */
export async function makeBackup(registry: Registry) {
  let text = ''
  for await (const piece of await registry.backup('admin')) text += piece
  const [first = '', ...lines] = text.trimEnd().split('\n')
  const header: BackupHeader = JSON.parse(first)
  const parsed = lines.map(line => JSON.parse(line) as BackupLine)
  const records = parsed.flatMap(line => ('record' in line ? [line.record] : []))
  const entries = parsed.flatMap(line => ('entry' in line ? [line.entry] : []))
  const trailer = parsed.flatMap(line => ('end' in line ? [line.end] : []))[0] as BackupTrailer
  return { text, header, trailer, records, entries }
}

export type Backup = Awaited<ReturnType<typeof makeBackup>>

export async function stage({ restores }: Registry, { header, records, entries }: Backup): Promise<string> {
  const restoreId = await restores.start(header)
  await restores.stage(restoreId, {
    records: records.map(([key, version, text]) => ({ key, version, text })),
    entries: entries.map(([seq, text]) => ({ seq, text }))
  })
  return restoreId
}

export async function restore(registry: Registry, backup: Backup) {
  return registry.restores.commit(await stage(registry, backup), backup.header, backup.trailer, 'admin')
}
