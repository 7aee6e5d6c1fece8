/** When to try again (PROTOCOL §5): full jitter, so that clients that were cut off together do not return together. */

const baseMs = 500
const capMs = 20_000
/** Tries before a session was ever had; then the application is told and tries go on, but slowly. */
export const triesBeforeTelling = 3
const slowMs = 60_000
/** A hint of when to come back can ask for no longer pause than this: anyone on the way may forge it. */
const maxHintedMs = 60_000

/**
 * The pause before the next try, in milliseconds.
 * @param failures  tries that failed in a row, from 1
 * @param random    from 0 to 1
 * @param slowly    whether enough were refused, or no session was ever had
 * @param hintedMs  what the gateway asked for, 0 where it did not
 */
export function pauseMs(failures: number, random: number, slowly: boolean, hintedMs = 0): number {
  const pause = slowly ? slowMs + random * capMs : random * Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 16))
  return Math.max(pause, Math.min(hintedMs, maxHintedMs))
}
