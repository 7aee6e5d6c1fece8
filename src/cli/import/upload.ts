import type { Io } from '../command.js'
import { Failure, Interrupted } from '../errors.js'
import { type Gateway, path, Refused, textOf } from '../gateway.js'
import type { Progress } from '../progress.js'
import type { CheckedLicense } from './check.js'

/** Sends checked licenses in chunks and commits them at the end, so that all of them exist or none. */

/** The API's limit per request. */
const chunkLicenses = 500
/** Well below the API's limit of bytes; one license always fits. */
const chunkChars = 1_000_000
const chunkTimeoutMs = 60_000
/** The gateway moves every staged license before it answers. */
const commitTimeoutMs = 5 * 60_000
const abortTimeoutMs = 30_000

const importsPath = '/v1/admin/imports'

/** Discards an import, even after Ctrl-C. @returns whether the gateway confirmed it */
async function abort(gateway: Gateway, importId: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(abortTimeoutMs)
    await gateway.call('DELETE', importsPath + path`/${importId}`, undefined, { signal, timeoutMs: abortTimeoutMs })
    return true
  } catch {
    return false
  }
}

function nextChunk(licenses: readonly CheckedLicense[], from: number): readonly CheckedLicense[] {
  let chars = 0
  let end = from
  while (end < licenses.length && end - from < chunkLicenses) {
    chars += JSON.stringify(licenses[end]?.license).length
    if (end > from && chars > chunkChars) break
    end++
  }
  return licenses.slice(from, end)
}

async function sendChunk(gateway: Gateway, importId: string, chunk: readonly CheckedLicense[]): Promise<void> {
  const body = { licenses: chunk.map(({ license }) => license) }
  try {
    const address = importsPath + path`/${importId}/licenses`
    const { accepted } = await gateway.call('POST', address, body, { timeoutMs: chunkTimeoutMs })
    if (accepted !== chunk.length) throw new Failure(`the gateway accepted ${accepted} of ${chunk.length} licenses`)
  } catch (error) {
    const line = error instanceof Refused && error.index !== undefined ? chunk[error.index]?.line : undefined
    throw line === undefined ? error : new Failure(`line ${line}: ${error instanceof Error ? error.message : error}`)
  }
}

/**
 * @returns the number of licenses, as the gateway reports it
 * @throws Failure if nothing was imported, or if the outcome is unknown; its message states which
 */
export async function upload(
  io: Io,
  gateway: Gateway,
  licenses: readonly CheckedLicense[],
  progress: Progress
): Promise<unknown> {
  const importId = textOf(await gateway.call('POST', importsPath), 'importId')
  let committing = false
  try {
    for (let at = 0, chunk = nextChunk(licenses, 0); chunk.length > 0; chunk = nextChunk(licenses, at)) {
      if (io.signal.aborted) throw new Interrupted()
      at += chunk.length
      await sendChunk(gateway, importId, chunk)
      await progress.add(chunk.length)
    }
    if (io.signal.aborted) throw new Interrupted()
    committing = true
    // From here on Ctrl-C waits, because only the answer has the outcome.
    const signal = AbortSignal.timeout(commitTimeoutMs)
    const address = importsPath + path`/${importId}/commit`
    return (await gateway.call('POST', address, undefined, { signal, timeoutMs: commitTimeoutMs }))['licenses']
  } catch (error) {
    await progress.stop()
    const undone = await abort(gateway, importId)
    const why = error instanceof Error ? error.message : String(error)
    const fail = (outcome: string) =>
      error instanceof Interrupted ? new Interrupted(outcome) : new Failure(`${why}. ${outcome}`)
    if (undone) throw fail('Nothing was imported')
    // A refused commit did not happen. One that failed inside the gateway, or whose answer was lost, may have.
    if (committing && !(error instanceof Refused && error.status < 500)) {
      throw fail('Whether it was imported is unknown: check with `licenses list` before trying again')
    }
    throw fail('Nothing was imported; the next import clears what was staged')
  }
}
