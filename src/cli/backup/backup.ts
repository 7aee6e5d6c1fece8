import { createHash } from 'node:crypto'
import { fsyncSync } from 'node:fs'
import type { Invocation } from '../command.js'
import { fillNewFile, writeAll, writing } from '../new-file.js'
import { printDone } from '../output.js'
import { type Progress, startProgress } from '../progress.js'
import { type Backup, checkedLines } from './lines.js'

/** `countersign backup`. */

/** Time without a byte from the gateway after which it counts as lost, and longest time of the whole backup. */
const backupTimeoutMs = 60 * 60 * 1000

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

/** @throws Failure if the backup is incomplete */
async function write({ io, gateway }: Invocation, file: string, handle: number): Promise<Backup> {
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
    throw error
  }
}

/** @throws Failure, Interrupted */
export async function backup(invocation: Invocation): Promise<number> {
  const file = invocation.args['file'] ?? ''
  const { header, trailer } = await fillNewFile(file, 'name another file', handle => write(invocation, file, handle))
  const { records, entries } = trailer
  const text = `${file}: ${records} records and ${entries} audit entries. Keep the master key apart from it.`
  await printDone(invocation, { file, storeId: header.storeId, records, entries }, text)
  return 0
}
