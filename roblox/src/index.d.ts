// Types for roblox-ts. README.md and the Luau sources document each member.

declare namespace Countersign {
  type State = 'connecting' | 'connected' | 'disconnected'

  interface Credential {
    clientId: string
    keyId?: string
    secret: string
    expiresAt?: string
  }

  /** A code of PROTOCOL §7.3, or TIMEOUT, CLOSED, TOO_MANY. */
  interface RequestError {
    code: string
    message: string
    retryAfterMs?: number
    /** The request may or may not have run. */
    outcome?: 'unknown'
  }

  interface Failure {
    code: string
    message: string
    /** The client has stopped for good. */
    fatal: boolean
    channel?: string
  }

  interface Validation {
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

  interface Published {
    channel: string
    offset: number
    epoch: string
    duplicate?: boolean
  }

  interface Publication<T = unknown> {
    channel: string
    data: T
    offset: number
    epoch: string
    /** Unix milliseconds. */
    publishedAt: number
  }

  interface Position {
    offset: number
    epoch: string
  }

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
    /** 30 to 500, default 300. */
    budgetPerMinute?: number
    /** 1 to 25, default 20. */
    holdSeconds?: number
    /** 0 to 0.25, default 0.05. */
    coalesceSeconds?: number
    /** 1 to 300, default 30. */
    timeoutSeconds?: number
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
    attributes?: Record<string, string>
  }

  interface Client {
    readonly State: State
    readonly StateChanged: Signal<[state: State, previous: State]>
    readonly Message: Signal<[publication: Publication]>
    readonly Gap: Signal<[channel: string, position: Position]>
    readonly Error: Signal<[failure: Failure]>
    readonly Budget: Budget
    Subscribe<T = unknown>(
      channel: string,
      listener: (data: T, publication: Publication<T>) => void
    ): { Disconnect(): void }
    /** Yields. */
    Publish(
      channel: string,
      data: defined,
      idempotencyKey?: string
    ): LuaTuple<[Published | undefined, RequestError | undefined]>
    /** Yields. */
    Validate(
      serviceId: string,
      hwid: string | undefined,
      key: string
    ): LuaTuple<[Validation | undefined, RequestError | undefined]>
    Destroy(): void
    /** Yields. */
    Close(seconds?: number): void
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
