import type { Attributes, Position, Publication } from './options.js'

/** What the requests about channels, sessions and calls take and resolve with. Times are Unix milliseconds. */

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

/** One session, or any live session of a client. */
export type CallTarget = { readonly sessionId: string } | { readonly clientId: string }

/** About a call that a handler answers. */
export interface CallInfo {
  /** The client that calls; undefined for a call over HTTP. */
  readonly from: string | undefined
  readonly callId: string
  /** The caller waits until then, by the clock of the gateway. */
  readonly expiresAt: number
}

/** What it returns, or resolves with, is the result. What it throws is the caller's error. */
export type CallHandler<T = unknown> = (data: T, info: CallInfo) => unknown
