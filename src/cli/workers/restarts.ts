/** Determines how soon an ended worker is replaced. */

/** A worker that served this long did not end because of its start, in milliseconds. */
export const stableMs = 10_000
/** Successive starts without a serving worker after which the primary ends too. */
export const maxFailedStarts = 8
const firstDelayMs = 250
/** Together with the time of a start this stays below the 10 s in which a worker is replaced. */
const maxRestartDelayMs = 4000

/**
 * @param failures  successive ends soon after a start
 * @returns milliseconds; 0 for the first, then doubling
 */
export function restartDelayMs(failures: number): number {
  return failures <= 1 ? 0 : Math.min(maxRestartDelayMs, firstDelayMs * 2 ** (failures - 2))
}
