import type { Hash } from 'node:crypto'
import { Failure } from '../errors.js'
import { isRecord, type JsonObject, parseRecord } from '../json.js'

/** Reads a backup line by line, and checks that it is complete and undamaged. */

/** The longest line. A record of a license with all its hwids is shorter. */
const maxLineBytes = 4 * 1024 * 1024

interface BackupRecord {
  readonly key: string
  readonly version: number
  readonly text: string
}

interface BackupEntry {
  readonly seq: number
  readonly text: string
}

export type BackupHeader = JsonObject & { readonly storeId: string; readonly createdAt: string }

export interface BackupTrailer extends JsonObject {
  readonly records: number
  readonly entries: number
  readonly sha256: string
}

/** Contents of a backup's first and last line. */
export interface Backup {
  readonly header: BackupHeader
  readonly trailer: BackupTrailer
}

/** A line between the first and the last one. */
export type BackupLine =
  | { readonly kind: 'record'; readonly record: BackupRecord; readonly bytes: number }
  | { readonly kind: 'entry'; readonly entry: BackupEntry; readonly bytes: number }

const damaged = (line: number) => new Failure(`line ${line} is not a line of a backup: the file is damaged`)

async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let rest: Buffer[] = []
  let restBytes = 0
  for await (const piece of pieces) {
    let from = 0
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, from)) {
      yield Buffer.concat([...rest, bytes.subarray(from, end)])
      rest = []
      restBytes = 0
      from = end + 1
    }
    if (from < bytes.length) rest.push(Buffer.from(bytes.subarray(from)))
    restBytes += bytes.length - from
    if (restBytes > maxLineBytes) throw new Failure(`a line has more than ${maxLineBytes} bytes: this is no backup`)
  }
  if (restBytes > 0) throw new Failure('the backup is cut short: its last line is incomplete')
}

function parse(line: Buffer, number: number): JsonObject {
  const value = parseRecord(line.toString('utf8'))
  if (value === undefined) throw damaged(number)
  return value
}

function headerOf(value: JsonObject): BackupHeader {
  const { countersignBackup, storeId, createdAt } = value
  if (typeof countersignBackup !== 'number' || typeof storeId !== 'string' || typeof createdAt !== 'string') {
    throw new Failure('this is not a backup of `countersign backup`')
  }
  return { ...value, storeId, createdAt }
}

function trailerOf(value: unknown): BackupTrailer | undefined {
  if (!isRecord(value)) return undefined
  const { records, entries, sha256 } = value
  if (typeof records !== 'number' || typeof entries !== 'number' || typeof sha256 !== 'string') return undefined
  return { ...value, records, entries, sha256 }
}

function contentOf({ record, entry }: JsonObject, bytes: number): BackupLine | undefined {
  if (Array.isArray(record)) {
    const [key, version, text] = record
    if (typeof key !== 'string' || typeof version !== 'number' || typeof text !== 'string') return undefined
    return { kind: 'record', record: { key, version, text }, bytes }
  }
  if (!Array.isArray(entry)) return undefined
  const [seq, text] = entry
  return typeof seq === 'number' && typeof text === 'string'
    ? { kind: 'entry', entry: { seq, text }, bytes }
    : undefined
}

/**
 * Reads a whole backup.
 * @param digest   a new SHA-256
 * @param onLine   called with each line between the first and the last one, one at a time
 * @param onHeader called with the first line, before the others
 * @throws Failure if the backup is incomplete or damaged, or the file is not a backup
 */
export async function checkedLines(
  pieces: AsyncIterable<Uint8Array>,
  digest: Hash,
  onLine: (line: BackupLine) => Promise<void>,
  onHeader: (header: BackupHeader) => Promise<void> = async () => {}
): Promise<Backup> {
  let header: BackupHeader | undefined
  let trailer: BackupTrailer | undefined
  let number = 0
  for await (const line of linesOf(pieces)) {
    number++
    if (trailer !== undefined) throw damaged(number)
    const value = parse(line, number)
    if (header === undefined) {
      header = headerOf(value)
      await onHeader(header)
      continue
    }
    trailer = trailerOf(value['end'])
    if (trailer !== undefined) continue
    const content = contentOf(value, line.length)
    if (content === undefined) throw damaged(number)
    digest.update(line).update('\n')
    await onLine(content)
  }
  if (header === undefined || trailer === undefined)
    throw new Failure('the backup is incomplete: its last line is missing')
  if (digest.digest('hex') !== trailer.sha256) throw new Failure('the backup is damaged: its digest is another one')
  return { header, trailer }
}
