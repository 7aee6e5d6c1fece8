/** Events of one reason that are logged in full per minute. */
export const loggedPerMinute = 10
/** Reasons that are counted separately. Any more share {@link otherReason}. */
export const maxReasons = 64
export const otherReason = 'other'
const windowMs = 60_000

/**
 * Bounds the log lines about events that anyone can repeat at will: the first of each reason in a minute are logged in
 * full, the rest only as their number when the minute ends.
 */
export interface RepeatedEvents {
  /**
   * Counts one event.
   * @param reason    key of the count per minute, e.g. an error code
   * @param logInFull  writes its line; called only for the first {@link loggedPerMinute} of the minute, with true for the
   *   last of them
   */
  record(reason: string, logInFull: (isLast?: boolean) => void): void
  /** Reports the suppressed events of minutes that have ended. Call it about once a second. */
  tick(): void
}

interface Window {
  readonly startedAt: number
  events: number
}

/**
 * @param now      unix milliseconds
 * @param report   receives the number of suppressed events of a reason, once for each minute that had any
 */
export function createRepeatedEvents(
  now: () => number,
  report: (reason: string, suppressed: number) => void
): RepeatedEvents {
  const windows = new Map<string, Window>()

  function hasEnded({ startedAt }: Window): boolean {
    // A clock that was set back ends the minute too.
    return Math.abs(now() - startedAt) >= windowMs
  }

  function close(reason: string, { events }: Window): void {
    windows.delete(reason)
    if (events > loggedPerMinute) report(reason, events - loggedPerMinute)
  }

  function windowOf(reason: string): Window {
    const known = windows.get(reason)
    if (known !== undefined && !hasEnded(known)) return known
    if (known !== undefined) close(reason, known)
    const window = { startedAt: now(), events: 0 }
    windows.set(reason, window)
    return window
  }

  return {
    record(reason, logInFull) {
      const isCounted = windows.has(reason) || windows.size < maxReasons
      const window = windowOf(isCounted ? reason : otherReason)
      if (++window.events <= loggedPerMinute) logInFull(window.events === loggedPerMinute)
    },
    tick() {
      for (const [reason, window] of windows) if (hasEnded(window)) close(reason, window)
    }
  }
}
