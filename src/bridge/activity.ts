import { SessionCounter } from '../session/session-counts.js'

/** What one session does on this instance: exchanges in flight, what it has sent, and its last sign of life. */
export class SessionActivity {
  readonly counter = new SessionCounter()
  #inFlight = 0
  #serving = 0
  #lastSeenAt: number

  /** @param lastSeenAt unix milliseconds; 0 when this instance has not seen it yet */
  constructor(lastSeenAt: number) {
    this.#lastSeenAt = lastSeenAt
  }

  /** Exchanges that this instance has received and not answered, verified or not. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** When an exchange with a new poll number or a new seq was last answered, unix milliseconds. */
  get lastSeenAt(): number {
    return this.#lastSeenAt
  }

  /** Whether the session showed a sign of life at `since` or later. */
  isActiveSince(since: number): boolean {
    return this.#serving > 0 || this.#lastSeenAt >= since
  }

  /** When the session is dead unless another sign of life comes. A held poll counts as alive. */
  deadline(now: number, timeoutMs: number): number {
    return (this.#serving > 0 ? now : this.#lastSeenAt) + timeoutMs
  }

  beginExchange(): void {
    this.#inFlight++
  }

  finishExchange(): void {
    this.#inFlight--
  }

  /** The store accepted the exchange as new. A stale one is no sign of life (PROTOCOL §5.2). */
  beginServing(): void {
    this.#serving++
  }

  /** The timeout restarts when the answer is written (PROTOCOL §6.1). */
  finishServing(now: number): void {
    this.#serving--
    this.#lastSeenAt = now
  }
}
