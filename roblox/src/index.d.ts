// Types for roblox-ts. README.md and the Luau sources document each member.

import type * as shapes from './shapes'

declare namespace Countersign {
  type CallInfo = shapes.CallInfo
  type Credential = shapes.Credential
  type Failure = shapes.Failure
  type History<T = unknown> = shapes.History<T>
  type Member = shapes.Member
  type Position = shapes.Position
  type Presence = shapes.Presence
  type PresenceChange = shapes.PresenceChange
  type PresentMember = shapes.PresentMember
  type Publication<T = unknown> = shapes.Publication<T>
  type Published = shapes.Published
  type SessionInfo = shapes.SessionInfo
  type SessionList = shapes.SessionList
  type Target = shapes.Target
  type Validation = shapes.Validation

  type State = 'connecting' | 'connected' | 'disconnected'

  interface Connection {
    readonly Connected: boolean
    Disconnect(): void
  }

  interface Signal<T extends unknown[]> {
    Connect(listener: (...args: T) => void): Connection
    Once(listener: (...args: T) => void): Connection
    Wait(): LuaTuple<T>
  }

  interface Usage {
    limit: number
    used: number
    available: number
    pausedSeconds: number
  }

  interface Budget {
    readonly Limit: number
    Read(): Usage
  }

  /** Sends an HTTP request within the client's budget. */
  type Send = (
    request: RequestAsyncRequest,
    expectedSeconds: number
  ) => LuaTuple<[RequestAsyncResponse | undefined, string | undefined]>

  interface Options {
    /** e.g. `https://gateway.example.com` */
    url: string
    /** Called before each handshake; may yield. See {@link tickets}. */
    getTicket?: (send: Send) => Credential
    /** Instead of `getTicket`: a permanent credential. */
    credential?: Credential
    attributes?: Record<string, string>
    /** Default true: adds players, maxPlayers, placeId, placeVersion and jobId, and keeps them up to date. */
    serverAttributes?: boolean
    /** Of all clients of a game server: 30 to 500, default 300. */
    budgetPerMinute?: number
    /** 1 to 25, default 20. */
    holdSeconds?: number
    /** 0 to 0.25, default 0.05. */
    coalesceSeconds?: number
    /** 1 to 300, default 30. */
    timeoutSeconds?: number
    /** For `getTicket`: 1 to 300, default 15. */
    credentialTimeoutSeconds?: number
  }

  interface RequestOptions {
    /** At most 300; default: that of the client. */
    timeoutSeconds?: number
  }

  interface SubscribeOptions {
    /** The position of the last known publication: later ones are delivered. */
    recover?: Position
    /** 1 to 512: how many of the newest publications are delivered first. Not together with `recover`. */
    last?: number
    /** Implied by `onPresence`. */
    presence?: boolean
    /** Called when sessions join or leave. Needs a `presence` permission. */
    onPresence?: (change: PresenceChange) => void
  }

  interface PublishOptions extends RequestOptions {
    /** 1 to 64 characters; default: a unique one for each call. */
    idempotencyKey?: string
  }

  interface CallOptions {
    /** 0.1 to 30, default 10 or, if that is shorter, that of the client. */
    timeoutSeconds?: number
    /** 1 to 64 characters; default: a unique one for each call. */
    idempotencyKey?: string
  }

  interface PresenceOptions extends RequestOptions {
    /** 0 to 100, default 100. */
    limit?: number
  }

  interface SessionsOptions extends RequestOptions {
    /** 1 to 100, default 50. */
    limit?: number
    /** The `next` of the list before. */
    after?: string
  }

  interface Subscription {
    readonly Channel: string
    readonly Connected: boolean
    Disconnect(): void
  }

  interface TicketOptions {
    url: string
    token: Secret | string
    clientId: string
    /** Seconds, 30 to 86,400, default 3,600. */
    ttl?: number
    subscribe?: string[]
    publish?: string[]
    services?: string[]
    call?: string[]
    presence?: string[]
    attributes?: Record<string, string>
  }

  interface Client {
    readonly State: State
    /** Of the current session; each session has another. */
    readonly SessionId?: string
    readonly StateChanged: Signal<[state: State, previous: State]>
    readonly Message: Signal<[publication: Publication]>
    readonly Gap: Signal<[channel: string, position: Position]>
    readonly Error: Signal<[failure: Failure]>
    readonly Budget: Budget
    Subscribe<T = unknown>(
      channel: string,
      listener: (data: T, publication: Publication<T>) => void,
      options?: SubscribeOptions
    ): Subscription
    /** Yields until the channel is joined. */
    SubscribeAsync<T = unknown>(
      channel: string,
      listener: (data: T, publication: Publication<T>) => void,
      options?: RequestOptions & SubscribeOptions
    ): LuaTuple<[Subscription | undefined, Failure | undefined]>
    /** Yields. */
    PublishAsync(
      channel: string,
      data: defined,
      options?: PublishOptions
    ): LuaTuple<[Published | undefined, Failure | undefined]>
    /** Yields. */
    ValidateAsync(
      serviceId: string,
      hwid: string | undefined,
      key: string,
      options?: RequestOptions
    ): LuaTuple<[Validation | undefined, Failure | undefined]>
    /** Yields. */
    HistoryAsync<T = unknown>(
      channel: string,
      limit?: number,
      before?: Position,
      options?: RequestOptions
    ): LuaTuple<[History<T> | undefined, Failure | undefined]>
    /** Yields. */
    PresenceAsync(
      channel: string,
      options?: PresenceOptions
    ): LuaTuple<[Presence | undefined, Failure | undefined]>
    /** Yields. The failure is absent exactly when the call succeeded; a result may be absent. */
    CallAsync<T = unknown>(
      to: Target,
      method: string,
      data?: unknown,
      options?: CallOptions
    ): LuaTuple<[T | undefined, Failure | undefined]>
    /** The handler may yield; what it returns is the answer. */
    Handle<T = unknown>(method: string, handler: (data: T, info: CallInfo) => unknown): Connection
    /** Yields. */
    SessionsAsync(
      clientId: string,
      options?: SessionsOptions
    ): LuaTuple<[SessionList | undefined, Failure | undefined]>
    /** Replaces those of `attributes`. Returns a failure for attributes out of bounds. */
    SetAttributes(attributes: Record<string, string>): Failure | undefined
    Destroy(): void
    /** Yields. */
    Close(): void
  }

  interface Signer {
    Hex(message: string | buffer): string
    Digest(message: string | buffer): string
    Verify(message: string | buffer, hex: string): boolean
  }
}

interface Countersign {
  connect(this: void, options: Countersign.Options): Countersign.Client
  tickets(this: void, options: Countersign.TicketOptions): (send: Countersign.Send) => Countersign.Credential
  HmacSha256: {
    Hex(this: void, key: string | buffer, message: string | buffer): string
    Digest(this: void, key: string | buffer, message: string | buffer): string
    new (key: string | buffer): Countersign.Signer
  }
}

declare const Countersign: Countersign
export = Countersign
