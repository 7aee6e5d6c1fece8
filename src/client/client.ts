import { Calls } from './calls.js'
import { ClientChannels } from './channels.js'
import { type Encoded, encodeRequest, type RequestLimits, type RequestType, timeoutOf } from './encode.js'
import { RequestError } from './errors.js'
import { callSafely } from './events.js'
import type {
  ClientOptions,
  ClientState,
  Platform,
  Position,
  PublicationHandler,
  SessionInfo,
  Subscription
} from './options.js'
import type { SessionHost } from './session-host.js'
import { SessionManager } from './session-manager.js'
import { defaultCredentialTimeoutMs, defaultRequestTimeoutMs } from './timing.js'

/** @throws TypeError */
function requireSocketUrl(url: string): void {
  let protocol = ''
  try {
    protocol = new URL(url).protocol
  } catch {
    // Refused below.
  }
  if (!/^wss?:$/.test(protocol)) throw new TypeError(`url must begin with ws:// or wss://: ${url}`)
}

export interface SubscribeOptions {
  /** The position of the last known publication, e.g. from an earlier page view; later ones are delivered. */
  readonly recover?: Position
}

const decoder = new TextDecoder()

/**
 * A client that stays connected: it verifies every frame, sends heartbeats, answers challenges, reconnects by the rules of
 * PROTOCOL §5.3, and repeats requests that a lost session left unanswered. Listeners and handlers may call any method, and
 * what they throw changes nothing: it is reported by the event `error`, else on the console.
 */
export class CountersignClient extends Calls {
  readonly #options: ClientOptions & { readonly credentialTimeoutMs: number; readonly requestTimeoutMs: number }
  readonly #platform: Platform
  readonly #channels: ClientChannels
  #state: ClientState = 'disconnected'
  /** Between {@link connect} and {@link close}. */
  #manager: SessionManager | undefined
  /** The end of the last {@link close}. */
  #closed: Promise<void> = Promise.resolve()
  #stopListening: () => void = () => {}
  /** Of the last session. */
  #limits: RequestLimits | undefined
  /** Why requests are refused while the client is not running. */
  #notRunning = 'call connect() first'

  /** @throws TypeError for a url that is not ws:// or wss://. @throws RequestError for a time-out that is not above 0 */
  constructor(platform: Platform, options: ClientOptions) {
    super()
    requireSocketUrl(options.url)
    this.#platform = platform
    this.#options = {
      ...options,
      credentialTimeoutMs: timeoutOf(options.credentialTimeoutMs, defaultCredentialTimeoutMs, 'credentialTimeoutMs'),
      requestTimeoutMs: timeoutOf(options.requestTimeoutMs, defaultRequestTimeoutMs, 'requestTimeoutMs')
    }
    this.#channels = new ClientChannels({
      send: (type, members) => this.#manager?.send(encodeRequest(type, members, undefined)),
      emit: (name, event) => this.emit(name, event),
      dispatch: call => this.dispatcher.push(call),
      call: (handler, channel) => callSafely(handler, error => this.fault(error, `channel:${channel}`)),
      denied: (channel, code) => this.#trouble(`${code} for channel ${channel}`, 1),
      retryJoinsAfter: ms => this.#manager?.retryJoinsAfter(ms, () => this.#channels.joinPending())
    })
  }

  get state(): ClientState {
    return this.#state
  }

  /** The current session; undefined without one. */
  get session(): SessionInfo | undefined {
    const welcome = this.#manager?.current?.welcome
    if (welcome === undefined) return undefined
    const { sessionId, clientId, limits = {} } = welcome
    return { sessionId, clientId, limits }
  }

  /** Starts the client. It runs until {@link close}, or until a signed error means that reconnecting would not help. */
  connect(): this {
    if (this.#manager !== undefined) return this
    const manager = new SessionManager(this.#platform, this.#options, this.#hostOf(), work => this.dispatcher.run(work))
    this.#manager = manager
    this.#stopListening = this.#platform.onWake(() => this.reconnect())
    this.dispatcher.run(() => manager.start())
    return this
  }

  /** Probes the session with a heartbeat, and keeps it if it answers. Without one the client tries within a second. */
  reconnect(): void {
    this.dispatcher.run(() => this.#manager?.wake())
  }

  /**
   * Joins a channel and keeps it joined across reconnects. `handler` is called once for each publication, in order. A
   * channel may have several handlers; it is left with the last one. The event `missed` reports that publications were
   * lost and cannot be recovered.
   * @param channel  1 to 128 of letters, digits, `_`, `.`, `:`, `-`
   * @returns the subscription; its `ready` rejects if the channel is refused
   */
  subscribe<T = unknown>(
    channel: string,
    handler: PublicationHandler<T>,
    { recover }: SubscribeOptions = {}
  ): Subscription {
    if (typeof handler !== 'function') throw new TypeError('subscribe: the handler must be a function')
    return this.dispatcher.run(() => {
      const position = recover === undefined ? undefined : { offset: recover.offset, epoch: recover.epoch }
      const refusal = this.#refusalOf(
        'subscribe',
        position === undefined ? { channel } : { channel, recover: position }
      )
      return this.#channels.subscribe(String(channel), handler, position, refusal)
    })
  }

  /**
   * Stops. What was accepted before is sent first, as long as 5 s allow, then `bye`. Requests without an answer by then are
   * rejected with the code CLOSED. No handler runs again until the next {@link connect}.
   * @returns resolves when `bye` was answered, or after 2 s
   */
  close(): Promise<void> {
    const manager = this.#manager
    if (manager === undefined) return this.#closed
    return this.dispatcher.run(() => {
      this.#notRunning = 'the client was closed'
      this.#leave()
      this.dispatcher.discard()
      this.#closed = manager.close()
      this.#channels.close(new RequestError('CLOSED', 'the client was closed', { outcome: 'unsent' }))
      this.#setState('disconnected')
      return this.#closed
    })
  }

  #leave(): void {
    this.#manager = undefined
    this.#stopListening()
  }

  #hostOf(): SessionHost {
    return {
      onState: state => this.#setState(state),
      onFrame: (direction, text, signed) => {
        if (!this.hasListeners('frame')) return
        this.emit('frame', { direction, text: typeof text === 'string' ? text : decoder.decode(text), signed })
      },
      onWelcome: welcome => {
        this.#limits = this.#manager?.current?.limits
        this.#channels.restart(welcome)
        this.emit('welcome', welcome)
      },
      onChannelMessage: message => this.#channels.receive(message),
      onRefused: (re, code, retryAfterMs) => this.#channels.onRefused(re, code, retryAfterMs),
      onLost: reason => this.emit('lost', { reason }),
      onTrouble: (reason, tries) => this.#trouble(reason, tries),
      onStopped: (code, message) => {
        this.#notRunning = `the gateway stopped it: ${code}: ${message}`
        this.#leave()
        if (!this.hasListeners('stopped')) this.#platform.warn(`the client has stopped: ${code}: ${message}`)
        this.emit('stopped', { code, message })
      }
    }
  }

  #trouble(reason: string, tries: number): void {
    if (this.hasListeners('trouble')) this.emit('trouble', { reason, tries })
    else this.#platform.warn(reason)
  }

  #setState(state: ClientState): void {
    if (this.#state === state) return
    this.#state = state
    this.emit('state', state)
  }

  // ── Requests ───────────────────────────────────────────────────────────────────────────────────────────────────────

  protected override reportFault(error: unknown, source: string): void {
    this.#platform.reportFault(error, source)
  }

  protected override newIdempotencyKey(): string {
    return this.#platform.nonce()
  }

  /** Why the gateway would refuse a message. */
  #refusalOf(type: RequestType, members: Readonly<Record<string, unknown>>): RequestError | undefined {
    try {
      encodeRequest(type, members, this.#limits)
      return undefined
    } catch (error) {
      if (error instanceof RequestError) return error
      throw error
    }
  }

  /** @internal */
  protected override async request(
    type: RequestType,
    members: Readonly<Record<string, unknown>>,
    timeoutMs: number | undefined
  ): ReturnType<SessionManager['request']> {
    const limitMs = timeoutOf(timeoutMs, this.#options.requestTimeoutMs)
    const encoded: Encoded = encodeRequest(type, members, this.#limits)
    const manager = this.#manager
    if (manager !== undefined) return this.dispatcher.run(() => manager.request(encoded, limitMs))
    throw new RequestError('CLOSED', `the client is not running: ${this.#notRunning}`, { outcome: 'unsent' })
  }
}
