import { challengeSeconds } from '../protocol/limits.js'
import { sameText } from '../protocol/mac.js'

/**
 * Challenges within a session (PROTOCOL §6), one at a time. The answer that is expected is worked out when a challenge
 * goes out, so that no secret stays in memory and an answer can be judged while the store is away.
 */
export class FreshChallenges {
  readonly #intervalMs: number
  #nextAt: number
  #preparing = false
  #open: { readonly token: string; readonly expected: string; readonly endsAt: number } | undefined

  /** @param intervalMs  0: none are sent */
  constructor(intervalMs: number, now: number) {
    this.#intervalMs = intervalMs
    this.#nextAt = now + intervalMs
  }

  /** Whether it is time for the next one. Asking moves the time on. */
  isDue(now: number): boolean {
    if (this.#intervalMs === 0 || this.#preparing || this.#open !== undefined || now < this.#nextAt) return false
    this.#nextAt = now + this.#intervalMs
    this.#preparing = true
    return true
  }

  start(token: string, expected: string, now: number): void {
    this.#preparing = false
    this.#open = { token, expected, endsAt: now + challengeSeconds * 1000 }
  }

  /** The one that was due could not be made. */
  giveUp(): void {
    this.#preparing = false
  }

  /** Whether one went unanswered for too long. */
  isOverdue(now: number): boolean {
    return this.#open !== undefined && now >= this.#open.endsAt
  }

  settle(challengeToken: string, challengeSignature: string): boolean {
    const open = this.#open
    this.#open = undefined
    return open !== undefined && open.token === challengeToken && sameText(open.expected, challengeSignature)
  }
}
