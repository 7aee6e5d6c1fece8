/** Delays between connection attempts (PROTOCOL §5.3). Full jitter spreads clients that lost their connections together. */

const baseMs = 500
const capMs = 20_000
/** Failed attempts after which the application is notified and, without any session so far, attempts become slow. */
const triesBeforeReport = 3
const slowMs = 60_000
/** Bound of an unsigned hint of the gateway, which anyone on the network path can forge. */
const maxHintedMs = 60_000

/**
 * The delay before the next attempt, in milliseconds.
 * @param failures  failed attempts in a row, from 1
 * @param random    from 0 to 1
 * @param isSlow    at least a minute
 * @param hintedMs  the delay that the gateway asked for; 0 for none
 */
export function backoffMs(failures: number, random: number, isSlow: boolean, hintedMs = 0): number {
  const delayMs = isSlow ? slowMs + random * capMs : random * Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 16))
  return Math.max(delayMs, Math.min(hintedMs, maxHintedMs))
}

/** What to do after a failed attempt. */
export interface Retry {
  readonly delayMs: number
  /** Failed attempts in a row. */
  readonly tries: number
  /** The event for the application: `trouble` at every third slow attempt, else `lost` once there has been a session. */
  readonly event: 'trouble' | 'lost' | undefined
}

/** Counts failed attempts and refused handshakes, and decides when to try again. */
export class RetryPolicy {
  #failures = 0
  /** Handshakes since the last session that the gateway refused with a permanent code. */
  #refusals = 0
  #hadSession = false

  /** The application has asked to connect. */
  restart(): void {
    this.#failures = 0
  }

  /** A session was opened. */
  succeed(): void {
    this.#failures = 0
    this.#refusals = 0
    this.#hadSession = true
  }

  /** The gateway refused a handshake with a permanent code. It is unsigned, so the client keeps trying, but slowly. */
  refuse(): void {
    this.#refusals++
  }

  /**
   * An attempt or a connection failed.
   * @param random    from 0 to 1
   * @param hintedMs  the delay that the gateway asked for; 0 for none
   */
  fail(random: number, hintedMs: number): Retry {
    const tries = ++this.#failures
    const isSlow = tries >= triesBeforeReport && (!this.#hadSession || this.#refusals >= triesBeforeReport)
    const isReported = isSlow && tries % triesBeforeReport === 0
    const event = isReported ? 'trouble' : this.#hadSession ? 'lost' : undefined
    return { delayMs: backoffMs(tries, random, isSlow, hintedMs), tries, event }
  }
}
