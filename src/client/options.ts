import type { MacMaker } from '../protocol/mac.js'
import type { Attributes, DownstreamMessages } from '../protocol/messages.js'
import type { Credential } from './session.js'
import type { OpenSocket } from './socket.js'

/** The options, events and platform of a client. */

export type ClientState = 'disconnected' | 'connecting' | 'connected'

/** A session as the gateway welcomed it. */
export type Welcome = DownstreamMessages['welcome']
export type Validation = Pick<
  DownstreamMessages['validation'],
  'valid' | 'code' | 'serviceId' | 'licenseId' | 'expiresAt' | 'maxHwids' | 'boundHwids'
>

/** A publication on a channel. */
export type Publication = Pick<
  DownstreamMessages['publication'],
  'channel' | 'offset' | 'epoch' | 'data' | 'publishedAt' | 'publisher'
>
/** The result of a publish. */
export type Published = Pick<DownstreamMessages['published'], 'channel' | 'offset' | 'epoch' | 'duplicate'>

export interface ClientEvents {
  state: ClientState
  welcome: Welcome
  /** A frame was sent or received. `signed`: the client has created or verified its signature. */
  frame: { readonly direction: 'up' | 'down'; readonly text: string; readonly signed: boolean }
  /** A connection was lost, and the client tries to reconnect. */
  lost: { readonly reason: string }
  /** All tries so far have failed. The client keeps trying, slowly. */
  trouble: { readonly reason: string; readonly tries: number }
  /** A channel was joined, or joined again in a new session. */
  subscribed: { readonly channel: string; readonly offset: number; readonly epoch: string; readonly recovered: boolean }
  /** Publications of a channel were lost and cannot be recovered. Reload any state that you derive from the channel. */
  missed: { readonly channel: string }
  /** The gateway refuses a channel. The client does not try to join it again. */
  unsubscribed: { readonly channel: string; readonly code: string }
  /** A publication on the client's or the session's own channel, if it has no subscription. */
  direct: Publication
  /** The client has stopped: a signed error of the gateway means that reconnecting would not help. */
  stopped: { readonly code: string; readonly message: string }
}

export interface ClientOptions {
  /** ws:// or wss://, e.g. `wss://example.com/v1/ws`. */
  readonly url: string
  /** The credential, or a function that is called before each handshake, e.g. to fetch a ticket from your backend. */
  readonly credential: Credential | (() => Credential | Promise<Credential>)
  /** For the operators of the gateway: at most 16 members; names of 1 to 32 bytes, values of up to 128 bytes. */
  readonly attributes?: Attributes
}

/** The functions that differ between browsers and Node. */
export interface Platform {
  readonly createMac: MacMaker
  readonly openSocket: OpenSocket
  /** From 0 to 1, for jitter. */
  readonly random: () => number
  /** 22 to 64 random base64url characters. */
  readonly nonce: () => string
  readonly setTimer: (call: () => void, ms: number) => unknown
  readonly clearTimer: (timer: unknown) => void
}
