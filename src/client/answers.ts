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
