/** How soon a worker that has ended is replaced. */

/** A worker that has served this long before it ended did not end because of its start, in milliseconds. */
export const stableMs = 10_000
/** Starts in a row without a worker that serves, after which the primary ends too. */
export const maxFailedStarts = 8
const firstDelayMs = 250
/** With the time of a start this stays below the 10 s in which a worker is replaced. */
const maxRestartDelayMs = 4000

/**
 * @param failures  ends in a row soon after a start
 * @returns milliseconds; 0 for the first, then doubling
 */
export function restartDelayMs(failures: number): number {
  return failures <= 1 ? 0 : Math.min(maxRestartDelayMs, firstDelayMs * 2 ** (failures - 2))
}
