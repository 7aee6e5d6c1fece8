import { SessionCounter } from '../session/session-counts.js'

/** Activity of one session on this instance: exchanges in flight, counts, and its last sign of life. */
export class SessionActivity {
  readonly counter = new SessionCounter()
  #inFlight = 0
  #serving = 0
  #lastSeenAt: number

  /** @param lastSeenAt unix milliseconds; 0 when this instance has not seen it yet */
  constructor(lastSeenAt: number) {
    this.#lastSeenAt = lastSeenAt
  }

  /** Received exchanges that are unanswered, verified or not. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** When an exchange with a new poll number or a new seq was last answered, in unix milliseconds. */
  get lastSeenAt(): number {
    return this.#lastSeenAt
  }

  /** Whether the session showed a sign of life at `since` or later. */
  isActiveSince(since: number): boolean {
    return this.#serving > 0 || this.#lastSeenAt >= since
  }

  /** When the session times out without another sign of life. A held poll counts as alive. */
  deadline(now: number, timeoutMs: number): number {
    return (this.#serving > 0 ? now : this.#lastSeenAt) + timeoutMs
  }

  beginExchange(): void {
    this.#inFlight++
  }

  finishExchange(): void {
    this.#inFlight--
  }

  /** The store accepted the exchange as new. A stale exchange does not count as activity (PROTOCOL §5.2). */
  beginServing(): void {
    this.#serving++
  }

  /** The timeout restarts when the answer is written (PROTOCOL §6.1). */
  finishServing(now: number): void {
    this.#serving--
    this.#lastSeenAt = now
  }
}
