import type { Io } from '../command.js'
import { Failure, Interrupted, messageOf, withOutcome } from '../errors.js'
import { type Gateway, Refused } from '../gateway.js'
import type { Progress } from '../progress.js'
import { chunkChars, chunkItems, StagedUpload } from '../staged-upload.js'
import type { Row } from './read.js'

/** Sends checked licenses in chunks and commits them at the end, so that all of them exist or none. */

function nextChunk(licenses: readonly Row[], from: number): readonly Row[] {
  let chars = 0
  let end = from
  while (end < licenses.length && end - from < chunkItems) {
    chars += JSON.stringify(licenses[end]?.license).length
    if (end > from && chars > chunkChars) break
    end++
  }
  return licenses.slice(from, end)
}

async function sendChunk(staged: StagedUpload, chunk: readonly Row[]): Promise<void> {
  const body = { licenses: chunk.map(({ license }) => license) }
  try {
    const { accepted } = await staged.send('/licenses', body)
    if (accepted !== chunk.length) throw new Failure(`the gateway accepted ${accepted} of ${chunk.length} licenses`)
  } catch (error) {
    const line = error instanceof Refused && error.index !== undefined ? chunk[error.index]?.line : undefined
    throw line === undefined ? error : new Failure(`line ${line}: ${messageOf(error)}`)
  }
}

/**
 * @returns the number of licenses, as the gateway reports it
 * @throws Failure if nothing was imported, or if the outcome is unknown; its message states which
 */
export async function upload(io: Io, gateway: Gateway, licenses: readonly Row[], progress: Progress): Promise<unknown> {
  const staged = await StagedUpload.start(gateway, '/v1/admin/imports', 'importId')
  try {
    for (let at = 0, chunk = nextChunk(licenses, 0); chunk.length > 0; chunk = nextChunk(licenses, at)) {
      if (io.signal.aborted) throw new Interrupted()
      at += chunk.length
      await sendChunk(staged, chunk)
      await progress.add(chunk.length)
    }
    if (io.signal.aborted) throw new Interrupted()
    return (await staged.commit())['licenses']
  } catch (error) {
    await progress.stop()
    const undone = await staged.abort()
    if (undone) throw withOutcome(error, 'Nothing was imported')
    if (staged.mayHaveHappened(error)) {
      throw withOutcome(error, 'Whether it was imported is unknown: check with `licenses list` before trying again')
    }
    throw withOutcome(error, 'Nothing was imported; the next import clears what was staged')
  }
}
