import type { MacMaker } from '../protocol/mac.js'
import type { PresenceChange } from './answers.js'
import type { CredentialOption } from './credential.js'
import type { Fault } from './events.js'
import type { OpenSocket } from './socket.js'

/** The options, events and platform of a client. */

export type ClientState = 'disconnected' | 'connecting' | 'connected'

export type Attributes = Readonly<Record<string, string>>

/** A position in a channel. */
export interface Position {
  readonly offset: number
  readonly epoch: string
}

/** A session as described by its welcome (PROTOCOL §4.5). Times are Unix milliseconds. */
export interface Welcome {
  readonly sessionId: string
  readonly clientId: string
  readonly keyId: string
  /** Seconds. */
  readonly heartbeatInterval: number
  /** Seconds. */
  readonly heartbeatTimeout: number
  readonly serverTime: number
  readonly expiresAt: number
  readonly limits?: Readonly<Record<string, number>>
  readonly subscriptions?: readonly (Position & { readonly channel: string })[]
}

/** Whether a license key is valid (PROTOCOL §7.2). Use only `valid` to decide. */
export interface Validation {
  readonly valid: boolean
  readonly code: string
  readonly serviceId: string
  readonly licenseId?: string
  /** Unix milliseconds. */
  readonly expiresAt?: number
  readonly maxHwids?: number
  readonly boundHwids?: number
}

/** The current session. */
export interface SessionInfo {
  readonly sessionId: string
  readonly clientId: string
  /** `welcome.limits` of the gateway (PROTOCOL §11). */
  readonly limits: Readonly<Record<string, number>>
}

/** A publication on a channel. */
export interface Publication<T = unknown> {
  readonly channel: string
  readonly offset: number
  readonly epoch: string
  readonly data: T
  /** Unix milliseconds. */
  readonly publishedAt: number
  /** The publishing client; undefined for a publication over HTTP. */
  readonly publisher?: string
}
/** The result of a publish. */
export interface Published extends Position {
  readonly channel: string
  /** An earlier publish with the same idempotency key. */
  readonly duplicate?: boolean
}

export type PublicationHandler<T = unknown> = (publication: Publication<T>) => unknown

/** The position at which a channel was joined. */
export interface Joined extends Position {
  /** Whether every publication after the requested position is delivered. */
  readonly recovered: boolean
}

/** A channel that a client keeps joined until {@link Subscription.unsubscribe}. */
export interface Subscription {
  readonly channel: string
  /**
   * Resolves when the channel is joined for the first time. Rejects with RequestError if it is refused, and when the client is
   * closed or stops. It waits as long as the client tries to open a session.
   */
  readonly ready: Promise<Joined>
  /** The position of the last delivered publication; undefined before the first join. */
  readonly position: Position | undefined
  /** Removes the handler. It does not run again, not even for publications that have already arrived. */
  unsubscribe(): void
}

export interface SubscribeOptions {
  /** The position of the last known publication, e.g. from an earlier page view; later ones are delivered. */
  readonly recover?: Position | null | undefined
  /** Deliver this number of the newest publications first: 1 to 512. Not together with `recover`. */
  readonly last?: number
  /** Ask for presence. `onPresence` implies it. */
  readonly presence?: boolean
  /** Called when sessions have joined or left the channel. */
  readonly onPresence?: (change: PresenceChange) => unknown
}

export interface ClientEvents {
  state: ClientState
  welcome: Welcome
  /** A frame was sent or received. `signed`: the client has created or verified its signature. */
  frame: { readonly direction: 'up' | 'down'; readonly text: string; readonly signed: boolean }
  /** An established session ended, and the client opens the next one. Never reported after `close()`. */
  lost: { readonly reason: string }
  /**
   * No session could be opened, or a channel was refused: reported once for each cause, and again only after a session has
   * been opened. `tries`: failed attempts since the last session. Without a listener each cause is one line on the console.
   */
  trouble: { readonly reason: string; readonly tries: number }
  /** A channel was joined, or joined again in a new session. */
  subscribed: { readonly channel: string; readonly offset: number; readonly epoch: string; readonly recovered: boolean }
  /** Publications of a channel were lost and cannot be recovered. Reload any state that you derive from the channel. */
  missed: { readonly channel: string }
  /** The gateway refuses a channel. The client does not try to join it again. */
  unsubscribed: { readonly channel: string; readonly code: string }
  /** A publication on the client's or the session's own channel, if it has no subscription. */
  direct: Publication
  /** The client has stopped: a signed error of the gateway states that reconnecting would not help. */
  stopped: { readonly code: string; readonly message: string }
  /**
   * An error thrown by an application's listener or handler, and its source: `listener:state`, `channel:chat`,
   * `handle:kick`.
   */
  error: Fault
}

export interface ClientOptions {
  /** ws:// or wss://, e.g. `wss://example.com/v1/ws`. */
  readonly url: string
  /**
   * The credential, or a function that is called before each handshake, e.g. to fetch a ticket from your backend. The
   * function may return the answer of `fetch` itself.
   */
  readonly credential: CredentialOption
  /** For the operators of the gateway: at most 16 members; names of 1 to 32 bytes, values of up to 128 bytes. */
  readonly attributes?: Attributes
  /** Timeout for fetching a credential, in milliseconds. Default 15,000. */
  readonly credentialTimeoutMs?: number
  /** Default timeout of requests, in milliseconds. Default 10,000. */
  readonly requestTimeoutMs?: number
}

/** The functions that differ between browsers and Node. */
export interface Platform {
  readonly createMac: MacMaker
  readonly openSocket: OpenSocket
  /** From 0 to 1, for jitter. */
  readonly random: () => number
  /** 22 to 64 random base64url characters. */
  readonly nonce: () => string
  /** Unix milliseconds. */
  readonly now: () => number
  readonly setTimer: (call: () => void, ms: number) => unknown
  readonly clearTimer: (timer: unknown) => void
  /** Reports an error of an application's listener or handler. */
  readonly reportFault: (error: unknown, source: string) => void
  /** Writes one line for the developer. */
  readonly warn: (line: string) => void
  /** Calls back when the network or the page is back. @returns a function that stops it */
  readonly onWake: (call: () => void) => () => void
}
