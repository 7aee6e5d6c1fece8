/**
 * The sessions that have joined each channel, as shown to all instances. Each instance repeats its own entries; an
 * entry that is not repeated ends by its deadline, so that a crash needs no cleanup. The view is eventually consistent:
 * it may lag by the life of an entry.
 */

/** A session that has joined a channel. */
export interface Presence {
  readonly channel: string
  readonly sessionId: string
  readonly clientId: string
}

export interface PresenceEntry extends Presence {
  /** When the entry ends unless it is touched, in unix milliseconds. */
  readonly deadline: number
}

/** Sessions that joined and left by one call: new ones, and removed ones. */
export interface PresenceChanges {
  readonly joined: readonly Presence[]
  readonly left: readonly Presence[]
}

/** Changes of each kind that one call reports per channel and 500 entries. Further ones are made but not reported. */
export const maxReportedChanges = 100

/** Most sessions per channel. At this bound further ones are ignored until others end. */
export const maxPresent = 100_000

export interface PresenceStore {
  /**
   * Adds entries, or moves their deadlines forward; any number in any channels in one call.
   * @param now  unix milliseconds; some entries that have ended by then are removed as well
   */
  touch(entries: readonly PresenceEntry[], now: number): Promise<PresenceChanges>
  /** Removes entries. Unknown ones are skipped. */
  leave(gone: readonly Presence[]): Promise<PresenceChanges>
  /** Removes ended entries of channels, some of them if there are many. @param now  unix milliseconds */
  sweep(channels: readonly string[], now: number): Promise<PresenceChanges>
  /** The number of sessions in the channel at `now`. */
  count(channel: string, now: number): Promise<number>
  /**
   * The sessions in the channel at `now`, in order of their ids.
   * @param after  a session id; the list begins after it
   * @param limit  most sessions
   */
  list(channel: string, after: string, limit: number, now: number): Promise<readonly Presence[]>
}
