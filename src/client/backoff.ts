/** Delays between connection attempts (PROTOCOL §5.3). Full jitter spreads clients that lost their connections together. */

const baseMs = 500
const capMs = 20_000
/** Highest delay while an instance that announced its stop is expected back. */
const restartCapMs = 1500
/** Bound of an unsigned hint of the gateway, which anyone on the network path can forge. */
const maxHintedMs = 60_000
/** Spread of clients that are woken at the same moment, in milliseconds. */
export const wakeSpreadMs = 1000

/** The kind of failure. Each kind has its own delays, so that one never slows down another. */
export type FailureKind = 'credential' | 'network' | 'refused' | 'renewal' | 'session'

/**
 * The delay before the next attempt, in milliseconds.
 * @param failures  failed attempts in a row, from 1
 * @param random    from 0 to 1
 * @param hintedMs  the delay requested by the gateway; 0: none
 * @param isRestart whether the gateway announced its stop
 */
export function backoffMs(failures: number, random: number, hintedMs = 0, isRestart = false): number {
  const longestMs = Math.min(isRestart ? restartCapMs : capMs, baseMs * 2 ** Math.min(failures - 1, 16))
  return Math.max(random * longestMs, Math.min(hintedMs, maxHintedMs))
}

/** Counts failures by their kind. */
export class Backoff {
  readonly #failures = new Map<FailureKind, number>()
  /** Failed attempts since the last session. */
  #tries = 0

  /** @returns the failed attempts since the last session, this one included */
  fail(kind: FailureKind): { readonly tries: number; readonly failures: number } {
    const failures = (this.#failures.get(kind) ?? 0) + 1
    this.#failures.set(kind, failures)
    if (kind !== 'session') this.#tries++
    return { tries: this.#tries, failures }
  }

  /** A session was opened. Until it is stable, sessions that end at once still count as failures. */
  opened(): void {
    this.#tries = 0
    for (const kind of this.#failures.keys()) if (kind !== 'session') this.#failures.delete(kind)
  }

  /** The session is stable. */
  settle(): void {
    this.#failures.delete('session')
  }
}
