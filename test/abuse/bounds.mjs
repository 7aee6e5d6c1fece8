/** Bounds that every attack must leave intact. Generous, because the attacker shares the machine with its victim. */

const maxPeakMib = 450
const maxWaitMs = 3000

/** Lets the quotas of a client do the work, not the rate of a session. */
export const fastSessions = { COUNTERSIGN_FRAMES_PER_SECOND: '10000' }

/**
 * @param {{ curve: number[] }} gateway
 * @param {{ worstMs: number, failed: number, lost: number }} witness
 * @returns {[what: string, holds: boolean][]}
 */
export function commonChecks({ curve }, { worstMs, failed, lost }) {
  return [
    [`memory stays below ${maxPeakMib} MiB`, Math.max(...curve) < maxPeakMib],
    [`a live session waits less than ${maxWaitMs} ms`, worstMs < maxWaitMs],
    ['a live session is neither lost nor refused', lost === 0 && failed === 0]
  ]
}
