import type { Attributes, Position, Publication } from './options.js'

/** Options and answers of requests about channels, sessions and calls. Times are Unix milliseconds. */

/** A part of a channel's history. */
export interface History<T = unknown> extends Position {
  /** Oldest first. `offset` and `epoch` are the position after the last one. */
  readonly publications: readonly Publication<T>[]
  /** Whether the history has older publications. */
  readonly more: boolean
}

/** A session of a client. */
export interface Member {
  readonly sessionId: string
  readonly clientId: string
}

/** The presence of a channel. */
export interface Presence {
  readonly channel: string
  /** Total number of sessions; it exceeds the length of `sessions` if the list is not complete. */
  readonly count: number
  readonly sessions: readonly (Member & { readonly attributes: Attributes })[]
}

/** Sessions that joined and left a channel: a hint, at most once a second, with at most 100 of each. */
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
  /** Pass it as `after` to get the next ones; undefined at the end. */
  readonly next?: string
}

/** One session, or any live session of a client. */
export type CallTarget =
  | { readonly sessionId: string; readonly clientId?: never }
  | { readonly clientId: string; readonly sessionId?: never }

/** Details of a call for its handler. */
export interface CallInfo {
  /** The calling client; undefined for a call over HTTP. */
  readonly from: string | undefined
  readonly callId: string
  /** The caller's deadline, by the gateway's clock. */
  readonly expiresAt: number
}

/** The result is the return value, or the value of a returned promise. Errors are sent to the caller. */
export type CallHandler<T = unknown> = (data: T, info: CallInfo) => unknown
