import type { Joined } from '../channels/types.js'
import type { Position } from '../store/channels.js'

/**
 * The channels that one session has joined, whatever its transport. Names and rights were judged before (the handlers).
 */
export interface Subscriptions {
  /** Joined channels, the session's own two not counted (PROTOCOL §10.1). */
  readonly count: number
  has(channel: string): boolean
  /** Joins, or moves one that has joined. @throws StoreUnavailable */
  join(channel: string, recover?: Position): Promise<Joined>
  leave(channel: string): void
}
