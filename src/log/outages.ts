/**
 * Failures further apart than this belong to two outages. Longer than a connection's timeout and its pause together.
 */
export const quietMs = 5000
/** Reasons, and kinds of work, that the end of an outage counts separately; any more share `other`. */
const maxCounted = 8

/** Contents of the log line at the end of an outage. */
export interface Outage {
  readonly failures: number
  readonly reasons: Readonly<Record<string, number>>
  /** Failures by kind of work. Absent if none named a kind. */
  readonly refused?: Readonly<Record<string, number>>
  /** From the first failure to the last. */
  readonly lastedMs: number
}

/** Turns repeated failures into one report when an outage begins and one when it ends. */
export interface Outages {
  /** @param work  the kind of work that failed, e.g. `frames` */
  failed(error: Error, work?: string): void
  /** Reports the end of an outage. Call it about once a second. */
  tick(): void
}

/** The stack of a connection error is useless. An AggregateError has a code and no message. */
export function reasonOf(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return error.message === '' ? code || error.name : error.message
}

interface OutageCounts {
  readonly since: number
  last: number
  failures: number
  readonly reasons: Map<string, number>
  readonly refused: Map<string, number>
}

function count(counts: Map<string, number>, name: string): void {
  const counted = counts.has(name) || counts.size < maxCounted ? name : 'other'
  counts.set(counted, (counts.get(counted) ?? 0) + 1)
}

/**
 * @param now     milliseconds of a monotonic clock
 * @param begins  called at the first failure
 * @param ends    called when there was none for {@link quietMs}
 */
export function createOutages(
  now: () => number,
  begins: (reason: string) => void,
  ends: (outage: Outage) => void
): Outages {
  let current: OutageCounts | undefined
  return {
    failed(error, work) {
      const reason = reasonOf(error)
      const at = now()
      const isFirst = current === undefined
      current ??= { since: at, last: at, failures: 0, reasons: new Map(), refused: new Map() }
      count(current.reasons, reason)
      if (work !== undefined) count(current.refused, work)
      current.last = at
      current.failures++
      if (isFirst) begins(reason)
    },
    tick() {
      if (current === undefined || now() - current.last < quietMs) return
      const { since, last, failures, reasons, refused } = current
      current = undefined
      ends({
        failures,
        reasons: Object.fromEntries(reasons),
        ...(refused.size === 0 ? {} : { refused: Object.fromEntries(refused) }),
        lastedMs: Math.round(last - since)
      })
    }
  }
}
