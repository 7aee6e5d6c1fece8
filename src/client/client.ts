import type { AttemptOptions } from './attempts.js'
import { type Encoded, encodeRequest, type RequestLimits, type RequestType, timeoutOf } from './encode.js'
import { RequestError } from './errors.js'
import { LastingVerbs } from './lasting-verbs.js'
import type { ClientOptions, ClientState, Platform, SessionInfo } from './options.js'
import type { SessionHost } from './session-host.js'
import { SessionManager } from './session-manager.js'
import { defaultCredentialTimeoutMs, defaultRequestTimeoutMs } from './timing.js'

/**
 * A client that stays connected: it verifies every frame, sends heartbeats, answers challenges, reconnects by the rules
 * of PROTOCOL §5.3, and repeats requests that a lost session left unanswered. Listeners and handlers may call any
 * method. Their errors do not affect the client: the event `error` reports them, or the console without a listener.
 */
export class CountersignClient extends LastingVerbs {
  readonly #options: AttemptOptions
  protected override readonly requestTimeoutMs: number
  readonly #platform: Platform
  #state: ClientState = 'disconnected'
  /** True between {@link connect} and {@link close}. */
  #manager: SessionManager | undefined
  /** The end of the last {@link close}. */
  #closed: Promise<void> = Promise.resolve()
  #stopListening: () => void = () => {}
  #limits: RequestLimits | undefined
  /** Reason of refused requests while the client is not running. */
  #notRunning = 'call connect() first'

  /**
   * @throws TypeError for a url that is not ws:// or wss://
   * @throws RequestError for a timeout that is not above 0, and for attributes that the gateway would refuse
   */
  constructor(platform: Platform, options: ClientOptions) {
    super(options.attributes)
    const { url, credential, credentialTimeoutMs, requestTimeoutMs } = options
    if (!/^wss?:\/\/[^/]/i.test(url)) throw new TypeError(`url must begin with ws:// or wss://: ${url}`)
    this.#platform = platform
    this.requestTimeoutMs = timeoutOf(requestTimeoutMs, defaultRequestTimeoutMs, 'requestTimeoutMs')
    this.#options = {
      ...{ url, credential, attributes: () => this.attributes },
      credentialTimeoutMs: timeoutOf(credentialTimeoutMs, defaultCredentialTimeoutMs, 'credentialTimeoutMs')
    }
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

  /**
   * Starts the client. It runs until {@link close}, or until a signed error states that reconnecting would not help.
   */
  connect(): this {
    if (this.#manager !== undefined) return this
    const manager = new SessionManager(this.#platform, this.#options, this.#hostOf(), work => this.dispatcher.run(work))
    this.#manager = manager
    this.#stopListening = this.#platform.onWake(() => this.reconnect())
    this.dispatcher.run(() => manager.start())
    return this
  }

  /**
   * Probes the session with a heartbeat, and keeps it if it answers. Without a session the client tries to connect
   * within a second.
   */
  reconnect(): void {
    this.dispatcher.run(() => this.#manager?.wake())
  }

  /**
   * Stops. Within 5 s it sends accepted messages and answers the calls in progress, then sends `bye`. Requests without
   * an answer by then are rejected with the code CLOSED. No handler starts again until the next {@link connect}.
   * @returns resolves when `bye` was answered, or after 2 s
   */
  close(): Promise<void> {
    this.clientChannels.close(new RequestError('CLOSED', 'the client was closed', { outcome: 'unsent' }))
    const manager = this.#manager
    if (manager === undefined) return this.#closed
    return this.dispatcher.run(() => {
      this.#notRunning = 'the client was closed'
      this.#leave()
      this.dispatcher.discard()
      this.#closed = manager.close()
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
        const decoded = typeof text === 'string' ? text : new TextDecoder().decode(text)
        this.emit('frame', { direction, text: decoded, signed })
      },
      onWelcome: welcome => {
        this.#limits = this.#manager?.current?.limits
        this.onWelcome(welcome)
        this.emit('welcome', welcome)
      },
      onChannelMessage: message => this.clientChannels.receive(message),
      onRefused: error => this.clientChannels.onRefused(error),
      handlerOf: method => this.handlers.get(method),
      dispatch: (call, onDropped) => this.dispatcher.push(call, onDropped),
      fault: this.fault,
      onLost: reason => this.emit('lost', { reason }),
      onTrouble: (reason, tries) => this.onTrouble(reason, tries),
      onStopped: (code, message) => {
        this.#notRunning = `the gateway stopped it: ${code}: ${message}`
        this.#leave()
        this.clientChannels.close(new RequestError(code, message))
        if (!this.hasListeners('stopped')) this.#platform.warn(`the client has stopped: ${code}: ${message}`)
        this.emit('stopped', { code, message })
      }
    }
  }

  /** @internal */
  protected override onTrouble(reason: string, tries: number): void {
    if (this.hasListeners('trouble')) this.emit('trouble', { reason, tries })
    else this.#platform.warn(reason)
  }

  #setState(state: ClientState): void {
    if (this.#state === state) return
    this.#state = state
    this.emit('state', state)
  }

  // ── Requests ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** @internal */
  protected override get limits(): RequestLimits | undefined {
    return this.#limits
  }

  /** @internal */
  protected override get isRunning(): boolean {
    return this.#manager !== undefined
  }

  /** @internal */
  protected override sendNow(encoded: Encoded): number | undefined {
    return this.#manager?.send(encoded)
  }

  /** @internal */
  protected override retryJoinsAfter(ms: number): void {
    this.#manager?.retryJoinsAfter(ms, () => this.clientChannels.joinPending())
  }

  protected override reportFault(error: unknown, source: string): void {
    this.#platform.reportFault(error, source)
  }

  protected override newIdempotencyKey(): string {
    return this.#platform.nonce()
  }

  /** @internal */
  protected override async request(
    type: RequestType,
    members: Readonly<Record<string, unknown>>,
    timeoutMs: number | undefined
  ): ReturnType<SessionManager['request']> {
    const limitMs = timeoutOf(timeoutMs, this.requestTimeoutMs)
    const encoded: Encoded = encodeRequest(type, members, this.#limits)
    const manager = this.#manager
    if (manager !== undefined) return this.dispatcher.run(() => manager.request(encoded, limitMs))
    throw new RequestError('CLOSED', `the client is not running: ${this.#notRunning}`, { outcome: 'unsent' })
  }
}
