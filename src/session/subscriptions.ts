import type { Joined, JoinPoint } from '../channels/types.js'

/** The channels that one session has joined, on any transport. Handlers check names and permissions before they call. */
export interface Subscriptions {
  /** Joined channels, without the session's own two (PROTOCOL §10.1). */
  readonly count: number
  has(channel: string): boolean
  /**
   * Joins a channel, or moves the position of a joined one.
   * @param from    a position to continue from, or the newest publications to begin with
   * @param owners  owners whose quotas count the channel if it is created, see store/owners.ts
   * @param withPresence  whether the session watches the presence of the channel
   * @throws StoreUnavailable, RateLimited
   */
  join(channel: string, from?: JoinPoint, owners?: string, withPresence?: boolean): Promise<Joined>
  leave(channel: string): void
}
