/** Minimum interval between log lines about one offender, in milliseconds. */
export const floodLineEveryMs = 60_000
/** Offenders that are counted separately. Any more share one line. */
export const maxOffenders = 1000

/** An offender: a session of a client, or the address of a peer without one. */
export interface Offender {
  readonly clientId?: string
  readonly sessionId?: string
  readonly remoteAddress: string
}

/**
 * Reports peers that are above a rate: one line when an offender begins, then one a minute with the number of refusals
 * since its last line, while it continues.
 */
export interface FloodReports {
  /**
   * Counts one refusal. It allocates nothing for an offender that was reported before. @param who  its first session is
   * logged
   */
  record(who: Offender): void
  /** Writes the lines that are due. Call it about once a second. */
  tick(): void
}

interface Count {
  readonly who: Partial<Offender>
  reportedAt: number
  refused: number
}

/**
 * @param now     milliseconds of a clock that does not jump
 * @param report  writes one line. @param refused  refusals since the offender's last line
 */
export function createFloodReports(
  now: () => number,
  report: (who: Partial<Offender>, refused: number) => void
): FloodReports {
  /** By client id, else by address. Both are short, and neither is ever the empty string. */
  const counts = new Map<string, Count>()
  const sharedKey = ''

  function begin(key: string, who: Offender): void {
    const isShared = counts.size >= maxOffenders
    const { clientId, sessionId, remoteAddress } = who
    const shown = isShared
      ? {}
      : {
          ...(clientId === undefined ? {} : { clientId }),
          ...(sessionId === undefined ? {} : { sessionId }),
          remoteAddress
        }
    const shared = isShared ? counts.get(sharedKey) : undefined
    if (shared !== undefined) shared.refused++
    else {
      counts.set(isShared ? sharedKey : key, { who: shown, reportedAt: now(), refused: 0 })
      report(shown, 1)
    }
  }

  return {
    record(who) {
      const key = who.clientId ?? who.remoteAddress
      const count = counts.get(key)
      if (count === undefined) begin(key, who)
      else count.refused++
    },
    tick() {
      for (const [key, count] of counts) {
        if (now() - count.reportedAt < floodLineEveryMs) continue
        if (count.refused === 0) counts.delete(key)
        else {
          report(count.who, count.refused)
          count.reportedAt = now()
          count.refused = 0
        }
      }
    }
  }
}
