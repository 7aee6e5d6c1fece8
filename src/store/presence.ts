/**
 * Who is in a channel, as every instance can see it. Instances say again and again who is there on them; an entry that is
 * not said again ends by its deadline, so that nothing has to be mended after a crash. A picture, not a ledger: it may be
 * behind by as long as an entry lives.
 */

/** A session that has joined a channel. */
export interface Presence {
  readonly channel: string
  readonly sessionId: string
  readonly clientId: string
}

export interface PresenceEntry extends Presence {
  /** When it is gone unless it is said again, unix milliseconds. */
  readonly deadline: number
}

/** Sessions that are kept of one channel. At the bound no further ones are taken until others are gone. */
export const maxPresent = 100_000

export interface PresenceStore {
  /**
   * Says who is there, any number in any channels in one call. A deadline never goes back.
   * @param now  unix milliseconds: entries that are over by then are forgotten on the way, bit by bit
   */
  touch(entries: readonly PresenceEntry[], now: number): Promise<void>
  /** Says who is not there any more. Those that are not known are passed over. */
  leave(gone: readonly Presence[]): Promise<void>
  /** How many are in the channel at `now`. */
  count(channel: string, now: number): Promise<number>
  /** Who is there at `now`, in the order of session ids, after `after` (an id), at most `limit`. */
  list(channel: string, after: string, limit: number, now: number): Promise<readonly Presence[]>
}
