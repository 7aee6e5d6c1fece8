import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, rmSync } from 'node:fs'
import type { Invocation } from '../command.js'
import { Failure } from '../errors.js'
import { writeAll, writing } from '../new-file.js'
import { printJson, printLine } from '../output.js'
import { type Progress, startProgress } from '../progress.js'
import { type Backup, checkedLines } from './lines.js'

/** `countersign backup`. */

/** Time without a byte from the gateway after which it counts as gone, and of the whole backup. */
const backupTimeoutMs = 60 * 60 * 1000

function createNew(file: string): number {
  try {
    return openSync(file, 'wx', 0o600)
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    throw new Failure(exists ? `${file} exists already: name another file` : `${file} cannot be written`)
  }
}

async function* counted(
  pieces: AsyncIterable<Uint8Array>,
  put: (piece: Uint8Array) => void,
  progress: Progress
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    put(piece)
    await progress.add(piece.filter(byte => byte === lineFeed).length)
    yield piece
  }
}

const lineFeed = 0x0a

/** @throws Failure if the backup is incomplete; the file is then removed */
async function write(invocation: Invocation, file: string): Promise<Backup> {
  const { io, gateway } = invocation
  const handle = createNew(file)
  const put = (piece: Uint8Array) => writing(file, () => writeAll(handle, piece))
  const progress = startProgress(io, 'lines')
  try {
    const pieces = await gateway.stream('/v1/admin/backup', { timeoutMs: backupTimeoutMs })
    const backup = await checkedLines(counted(pieces, put, progress), createHash('sha256'), async () => {})
    writing(file, () => fsyncSync(handle))
    await progress.finish()
    return backup
  } catch (error) {
    await progress.stop()
    rmSync(file, { force: true })
    throw error
  } finally {
    closeSync(handle)
  }
}

/** @throws Failure, Interrupted */
export async function backup(invocation: Invocation): Promise<number> {
  const { io, options, args } = invocation
  const file = args['file'] ?? ''
  const { header, trailer } = await write(invocation, file)
  const { records, entries } = trailer
  if (options.json) await printJson(io, { file, storeId: header.storeId, records, entries })
  else
    await printLine(io, `${file}: ${records} records and ${entries} audit entries. Keep the master key apart from it.`)
  return 0
}
