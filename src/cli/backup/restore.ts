import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Invocation, Io } from '../command.js'
import { Failure, Interrupted, withOutcome } from '../errors.js'
import type { Gateway } from '../gateway.js'
import { note, printDone } from '../output.js'
import { type Progress, startProgress } from '../progress.js'
import { chunkChars, chunkItems, StagedUpload } from '../staged-upload.js'
import { type BackupHeader, type BackupLine, checkedLines } from './lines.js'

/** `countersign restore`: sends a backup in chunks and commits it at the end, so that all of it is restored or nothing. */

const restorePath = '/v1/admin/restore'

/** Collects lines and sends them when they fill a chunk. */
class Upload {
  readonly #gateway: Gateway
  readonly #io: Io
  readonly #progress: Progress
  #staged: StagedUpload | undefined
  #lines: BackupLine[] = []
  #chars = 0

  constructor(gateway: Gateway, io: Io, progress: Progress) {
    this.#gateway = gateway
    this.#io = io
    this.#progress = progress
  }

  async start(header: BackupHeader): Promise<void> {
    this.#staged = await StagedUpload.start(this.#gateway, restorePath, 'restoreId', header)
  }

  async add(line: BackupLine): Promise<void> {
    const count = this.#lines.length
    if (count > 0 && (count >= chunkItems || this.#chars + line.bytes > chunkChars)) await this.#flush()
    this.#lines.push(line)
    this.#chars += line.bytes
  }

  async #flush(): Promise<void> {
    if (this.#io.signal.aborted) throw new Interrupted()
    const lines = this.#lines
    if (lines.length === 0) return
    this.#lines = []
    this.#chars = 0
    const records = lines.flatMap(line => (line.kind === 'record' ? [line.record] : []))
    const entries = lines.flatMap(line => (line.kind === 'entry' ? [line.entry] : []))
    await this.#staged?.send('', { records, entries })
    await this.#progress.add(lines.length)
  }

  /** @throws Failure if the backup has no header */
  async commit(body: object): ReturnType<Gateway['call']> {
    await this.#flush()
    if (this.#staged === undefined) throw new Failure('the backup has no header')
    return this.#staged.commit(body)
  }

  async abort(): Promise<void> {
    await this.#staged?.abort()
  }

  mayHaveHappened(error: unknown): boolean {
    return this.#staged?.mayHaveHappened(error) === true
  }
}

async function* piecesOf(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file)
  } catch {
    throw new Failure(`${file} cannot be read`)
  }
}

/** @throws Failure whose message states whether the backup was restored */
async function send({ gateway, io }: Invocation, file: string) {
  const progress = startProgress(io, 'lines')
  const upload = new Upload(gateway, io, progress)
  try {
    const digest = createHash('sha256')
    const { header, trailer } = await checkedLines(
      piecesOf(file),
      digest,
      line => upload.add(line),
      header => upload.start(header)
    )
    const restored = await upload.commit({ header, trailer })
    await progress.finish()
    return { header, restored }
  } catch (error) {
    await progress.stop()
    if (upload.mayHaveHappened(error)) {
      throw withOutcome(error, 'Whether it was restored is unknown: check with `clients list` before trying again')
    }
    await upload.abort()
    throw withOutcome(error, 'Nothing was restored')
  }
}

/** @throws Failure, Interrupted */
export async function restore(invocation: Invocation): Promise<number> {
  const { io, args } = invocation
  const { header, restored } = await send(invocation, args['file'] ?? '')
  const text = `restored ${restored['records']} records and ${restored['entries']} audit entries`
  await printDone(invocation, restored, text)
  await note(
    io,
    `What was revoked, deleted, reset or unbanned after ${header.createdAt} is in force again as it was then: revoke it ` +
      'again. Tickets have to be created again.'
  )
  return 0
}
