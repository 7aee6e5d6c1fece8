import type { Attributes, Position, Publication } from './options.js'

/** What the requests about channels and sessions take and resolve with. Times are Unix milliseconds. */

/** A part of a channel's history. */
export interface History<T = unknown> extends Position {
  /** Oldest first. `offset` and `epoch` are the position after the last one. */
  readonly publications: readonly Publication<T>[]
  /** Whether older publications are still kept. */
  readonly more: boolean
}

/** A session of a client. */
export interface Member {
  readonly sessionId: string
  readonly clientId: string
}

/** Who is in a channel. */
export interface Presence {
  readonly channel: string
  /** Sessions in all; above the length of `sessions`, more than the list holds. */
  readonly count: number
  readonly sessions: readonly (Member & { readonly attributes: Attributes })[]
}

/** Who has joined and left a channel: a hint, at most once a second, with at most 100 of each. */
export interface PresenceChange {
  readonly channel: string
  readonly count: number
  readonly joined: readonly Member[]
  readonly left: readonly Member[]
}

/** A live session of a client. */
export interface SessionEntry extends Member {
  readonly transport: string
  readonly openedAt: number
  readonly lastSeenAt: number
  readonly attributes: Attributes
}

export interface SessionList {
  readonly sessions: readonly SessionEntry[]
  /** Pass it as `after` for the next ones; undefined at the end. */
  readonly next?: string
}
