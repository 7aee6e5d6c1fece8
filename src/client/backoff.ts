/** When to try again (PROTOCOL §5): full jitter, so that clients that were cut off together do not return together. */

const baseMs = 500
const capMs = 20_000
/** Tries before a session was ever had; then the application is told and tries go on, but slowly. */
export const triesBeforeTelling = 3
const slowMs = 60_000
/**
 * The pause before the next try, in milliseconds.
 * @param failures  tries that failed in a row, from 1
 * @param random    from 0 to 1
 * @param hadSession whether one of them, or a session before them, was ever welcomed
 */
export function pauseMs(failures: number, random: number, hadSession: boolean): number {
  if (!hadSession && failures >= triesBeforeTelling) return slowMs + random * capMs
  return random * Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 16))
}
