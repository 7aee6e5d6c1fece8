// The values that the client returns, for roblox-ts.

export interface Credential {
  clientId: string
  keyId?: string
  secret: string
  expiresAt?: string
}

export interface Failure {
  /** A code of PROTOCOL §7.3, or TIMEOUT, CLOSED, TOO_MANY, CHANNEL_LIMIT, SESSION_LOST, LISTENER_FAILED. */
  code: string
  message: string
  /** The part of the arguments that is wrong, e.g. `data.items[3]`. */
  path?: string
  /** Of a request: it may have run, or it certainly has not. */
  outcome?: 'unknown' | 'unsent'
  retryAfterMs?: number
  channel?: string
  error?: { code: string; message: string }
  /** In `Client.Error`: the client has stopped for good. */
  fatal?: boolean
}

export interface Validation {
  /** The decision: use only this member. */
  valid: boolean
  code: string
  serviceId: string
  licenseId?: string
  /** Unix milliseconds. */
  expiresAt?: number
  maxHwids?: number
  boundHwids?: number
}

export interface Published {
  channel: string
  offset: number
  epoch: string
  duplicate?: boolean
}

export interface Publication<T = unknown> {
  channel: string
  data: T
  offset: number
  epoch: string
  /** Unix milliseconds. */
  publishedAt: number
  /** ClientId of the session that published it. Absent: it was published over HTTP. */
  publisher?: string
}

export interface History<T = unknown> {
  /** Oldest first. */
  publications: Publication<T>[]
  /** Of the newest one in the list. */
  offset: number
  epoch: string
  /** Older ones are still kept: ask with `before`, the position of the first one in the list. */
  more: boolean
}

export interface Member {
  sessionId: string
  clientId: string
}

/** A session in the list of a channel's sessions. */
export interface PresentMember extends Member {
  attributes: Record<string, string>
}

export interface Presence {
  channel: string
  /** Of all sessions in the channel; above the length of the list if not all fit into it. */
  count: number
  sessions: PresentMember[]
}

export interface SessionInfo {
  sessionId: string
  clientId: string
  transport: string
  /** Unix milliseconds. */
  openedAt: number
  lastSeenAt: number
  attributes: Record<string, string>
}

export interface SessionList {
  sessions: SessionInfo[]
  /** There are more: ask with `after`. */
  next?: string
}

export interface CallInfo {
  callId: string
  /** ClientId of the caller. Absent: the call came over HTTP. */
  from?: string
  /** Unix milliseconds: nobody waits for the answer any more. */
  expiresAt: number
}

export interface Position {
  offset: number
  epoch: string
}

/** The receiver of a call. With `clientId` the gateway picks one live session of that client. */
export type Target = { sessionId: string } | { clientId: string }

/** At most one a second for a channel: a hint and no log. */
export interface PresenceChange {
  channel: string
  count: number
  joined: Member[]
  left: Member[]
}
