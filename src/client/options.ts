import type { MacMaker } from '../protocol/mac.js'
import type { Attributes, DownstreamMessages } from '../protocol/messages.js'
import type { Credential } from './session.js'
import type { OpenSocket } from './socket.js'

/** What a client is made of, and what it tells. */

export type ClientState = 'disconnected' | 'connecting' | 'connected'

/** A session as the gateway welcomed it. */
export type Welcome = DownstreamMessages['welcome']
export type Validation = Pick<
  DownstreamMessages['validation'],
  'valid' | 'code' | 'serviceId' | 'licenseId' | 'expiresAt' | 'maxHwids' | 'boundHwids'
>

/** Something that was told on a channel. */
export type Publication = Pick<
  DownstreamMessages['publication'],
  'channel' | 'offset' | 'epoch' | 'data' | 'publishedAt'
>
/** What became of a publish. */
export type Published = Pick<DownstreamMessages['published'], 'channel' | 'offset' | 'epoch' | 'duplicate'>

export interface ClientEvents {
  state: ClientState
  welcome: Welcome
  /** A frame as it passed. `signed`: its signature was made or verified here. */
  frame: { readonly direction: 'up' | 'down'; readonly text: string; readonly signed: boolean }
  /** A connection is over and another is tried. */
  lost: { readonly reason: string }
  /** Nothing has come of the tries so far; they go on, slowly. */
  trouble: { readonly reason: string; readonly tries: number }
  /** A channel was joined, for the first time or again. */
  subscribed: { readonly channel: string; readonly offset: number; readonly epoch: string; readonly recovered: boolean }
  /** What came on a channel since its last publication cannot be had any more: its state is to be loaded anew. */
  missed: { readonly channel: string }
  /** The gateway refuses a channel: it is not joined, and not asked for again. */
  unsubscribed: { readonly channel: string; readonly code: string }
  /** A publication on this client's or this session's own channel that has no handler. */
  direct: Publication
  /** The end: the gateway said, signed, that coming back would not help. */
  stopped: { readonly code: string; readonly message: string }
}

export interface ClientOptions {
  /** ws:// or wss://, e.g. `wss://example.com/v1/ws`. */
  readonly url: string
  /** The credential, or what fetches one before each handshake (a ticket from your backend). */
  readonly credential: Credential | (() => Credential | Promise<Credential>)
  /** Shown to operators: at most 16 short texts. */
  readonly attributes?: Attributes
}

/** What a platform brings. */
export interface Platform {
  readonly createMac: MacMaker
  readonly openSocket: OpenSocket
  /** From 0 to 1, for pauses. */
  readonly random: () => number
  /** 22 or more random base64url characters. */
  readonly nonce: () => string
  readonly setTimer: (call: () => void, ms: number) => unknown
  readonly clearTimer: (timer: unknown) => void
}
