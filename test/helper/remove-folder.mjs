import { rmSync } from 'node:fs'

/** A process that was killed may leave children of its own that write for a moment more. */
const patienceMs = 5000
const retryDelayMs = 50

/**
 * Removes a folder that another process wrote to. Synchronous, for the `exit` event.
 *
 * `maxRetries` of `rmSync` does not look again for files that came meanwhile.
 *
 * @param {string} folder  that may be missing
 * @throws {Error} ENOTEMPTY if something still writes to it after 5 s
 */
export function removeFolder(folder) {
  const until = Date.now() + patienceMs
  for (;;) {
    try {
      rmSync(folder, { recursive: true, force: true })
      return
    } catch (error) {
      if (error.code !== 'ENOTEMPTY' || Date.now() > until) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryDelayMs)
    }
  }
}
