import { closeNormal, endingClassOf } from '../protocol/codes.js'
import type { Downstream, DownstreamMessages } from '../protocol/messages.js'
import { RetryPolicy } from './backoff.js'
import { Calls } from './calls.js'
import { ClientChannels, type Position, type PublicationHandler, type Subscription } from './channels.js'
import { Connection, reasonOf } from './connection.js'
import type { ClientOptions, ClientState, Platform, Welcome } from './options.js'
import { type Request, RequestError, Requests } from './requests.js'
import { ClientSession, type Credential } from './session.js'
import { Timers } from './timers.js'
import { handshakeMs, heartbeatAnswerMs, renewAfterMs } from './timing.js'

/**
 * A client that stays connected: it verifies every frame, sends heartbeats, answers challenges, reconnects by the rules of
 * PROTOCOL §5.3, and repeats requests that a lost session left unanswered. Listeners may call any method, also `close`.
 */
export class CountersignClient extends Calls {
  readonly #options: ClientOptions
  readonly #platform: Platform
  readonly #requests: Requests
  readonly #timers: Timers
  readonly #channels: ClientChannels
  #state: ClientState = 'disconnected'
  readonly #retryPolicy = new RetryPolicy()
  /** Between {@link connect} and {@link close}. */
  #isRunning = false
  /** The connection with the current session. */
  #current: Connection | undefined
  /** The connection in a handshake. During a renewal it exists beside the current one (PROTOCOL §4.5). */
  #next: Connection | undefined

  /** @throws TypeError for a url that is not ws:// or wss:// */
  constructor(platform: Platform, options: ClientOptions) {
    super()
    if (!URL.canParse(options.url) || !/^wss?:$/.test(new URL(options.url).protocol)) {
      throw new TypeError(`url must begin with ws:// or wss://: ${options.url}`)
    }
    this.#platform = platform
    this.#options = options
    this.#timers = new Timers(platform)
    this.#requests = new Requests(platform)
    this.#channels = new ClientChannels({
      send: message => (this.#current?.isOver === false ? this.#current.send(message) : undefined),
      emit: (name, event) => this.emit(name, event),
      retryJoinsAfter: ms => this.#timers.set('resubscribe', ms, () => this.#channels.joinPending())
    })
  }

  get state(): ClientState {
    return this.#state
  }

  /** Starts the client. It runs until {@link close}, or until a signed error means that reconnecting would not help. */
  connect(): this {
    if (!this.#isRunning) {
      this.#isRunning = true
      this.#retryPolicy.restart()
      this.#setState('connecting')
      void this.#open()
    }
    return this
  }

  /**
   * Joins a channel and keeps it joined across reconnects. `handler` is called once for each publication, in order. The
   * event `missed` reports that publications were lost and cannot be recovered.
   * @param channel  1 to 128 of letters, digits, `_`, `.`, `:`, `-`
   * @param recover  the position of the last known publication, e.g. from an earlier page view; later ones are delivered
   * @throws Error if the channel has a subscription already
   */
  subscribe(channel: string, handler: PublicationHandler, { recover }: { recover?: Position } = {}): Subscription {
    return this.#channels.subscribe(channel, handler, recover)
  }

  protected override newIdempotencyKey(): string {
    return this.#platform.nonce()
  }

  /** Sends `bye` and stops. Pending requests are rejected with the code CLOSED. */
  close(): void {
    this.#isRunning = false
    this.#current?.endWithBye()
    this.#stop('CLOSED', 'the client was closed')
  }

  // ── Connections ────────────────────────────────────────────────────────────────────────────────────────────────────

  async #open(): Promise<void> {
    try {
      const { credential: option, attributes, url } = this.#options
      const credential: Credential = typeof option === 'function' ? await option() : option
      if (!this.#isRunning || this.#next !== undefined) return
      const { createMac, nonce, openSocket } = this.#platform
      const session = new ClientSession(createMac, credential, nonce(), attributes)
      const socket = openSocket(url, {
        onMessage: frame => this.#receive(connection, frame),
        onClose: code => this.#lose(connection, `the connection closed with ${code}`)
      })
      const connection = new Connection(session, socket, text => {
        this.emit('frame', { direction: 'up', text, signed: true })
      })
      this.#next = connection
      this.#timers.set('handshake', handshakeMs, () => this.#lose(connection, 'no welcome in time'))
    } catch (error) {
      if (this.#isRunning) this.#retry(`could not connect: ${reasonOf(error)}`)
    }
  }

  #receive(connection: Connection, frame: Uint8Array): void {
    if (connection.isOver) return
    try {
      const received = connection.session.receive(frame)
      const signed = received.kind !== 'challenge' && received.kind !== 'hint'
      if (signed) this.#timers.clear('silence')
      this.emit('frame', { direction: 'down', text: new TextDecoder().decode(frame), signed })
      if (connection.isOver) return
      if (received.kind === 'challenge') connection.sendFrame(received.answer)
      else if (received.kind === 'welcome') this.#welcome(connection, received.welcome)
      else if (received.kind === 'message') this.#handle(connection, received.message)
      else if (received.kind === 'hint') this.#refuse(connection, received)
    } catch (error) {
      this.#lose(connection, reasonOf(error))
    }
  }

  #welcome(connection: Connection, welcome: Welcome): void {
    const previous = this.#current
    this.#current = connection
    this.#next = undefined
    this.#retryPolicy.succeed()
    this.#timers.clear('handshake', 'retry')
    previous?.endWithBye()
    this.#scheduleHeartbeat(connection, welcome.heartbeatInterval * 1000)
    this.#timers.set('renew', renewAfterMs(welcome), () => void this.#open())
    this.#timers.clear('resubscribe')
    for (const request of this.#requests.restart()) this.#sendRequest(connection, request)
    this.#channels.restart(welcome)
    this.#setState('connected')
    if (!connection.isOver) this.emit('welcome', welcome)
  }

  #handle(connection: Connection, message: Downstream): void {
    switch (message.type) {
      case 'challenge':
        connection.sendFrame(connection.session.answerChallenge(message.challengeToken).frame)
        return
      case 'reconnect':
        // The next session is opened first; its welcome ends this one (PROTOCOL §7.1).
        this.#timers.set('renew', message.afterMs, () => void this.#open())
        return
      case 'error':
        this.#onError(connection, message)
        return
      case 'publication':
      case 'subscribed':
      case 'unsubscribed':
        this.#channels.receive(message)
        return
      default:
        if ('re' in message) this.#requests.settle(message.re, request => request.resolve(message))
    }
  }

  /** PROTOCOL §5.3, rows 4 to 7. */
  #onError(connection: Connection, error: DownstreamMessages['error']): void {
    const { code, message, re, retryAfterMs } = error
    const ending = endingClassOf(code)
    const isAnswer = re !== undefined && (code === 'RATE_LIMITED' || code === 'UNAVAILABLE')
    if (ending === 'none' || isAnswer) {
      if (this.#channels.onRefused(re, code, retryAfterMs)) return
      this.#requests.refuse(error, this.#sendIfOpen)
    } else if (ending === 'transient') this.#lose(connection, `${code}: ${message}`, retryAfterMs)
    else {
      this.#isRunning = false
      this.#stop(code, message)
      this.emit('stopped', { code, message })
    }
  }

  /** The gateway refused the handshake. The refusal is unsigned, so it never stops the client. */
  #refuse(
    connection: Connection,
    { code, message, retryAfterMs }: { code: string; message: string; retryAfterMs: number }
  ): void {
    if (endingClassOf(code) === 'permanent') this.#retryPolicy.refuse()
    this.#lose(connection, `${code}: ${message}`, retryAfterMs)
  }

  /** Ends one connection. Another one may be open, or in its handshake. */
  #lose(connection: Connection, reason: string, hintedMs = 0): void {
    if (connection.isOver) return
    connection.end()
    if (this.#next === connection) {
      this.#next = undefined
      this.#timers.clear('handshake')
    } else {
      this.#current = undefined
      this.#timers.clear('heartbeat', 'silence', 'renew')
      if (this.#isRunning) this.#setState('connecting')
    }
    if (this.#isRunning && this.#next === undefined) this.#retry(reason, hintedMs)
  }

  #retry(reason: string, hintedMs = 0): void {
    const { delayMs, tries, event } = this.#retryPolicy.fail(this.#platform.random(), hintedMs)
    this.#timers.set('retry', delayMs, () => void this.#open())
    if (event === 'trouble') this.emit('trouble', { reason, tries })
    else if (event === 'lost') this.emit('lost', { reason })
  }

  /** Closes all connections and rejects pending requests. */
  #stop(code: string, message: string): void {
    this.#timers.clear('retry', 'handshake', 'heartbeat', 'silence', 'renew', 'resubscribe')
    this.#current?.end(closeNormal)
    this.#next?.end(closeNormal)
    this.#current = undefined
    this.#next = undefined
    this.#requests.rejectAll(code, message)
    this.#setState('disconnected')
  }

  // ── Heartbeats and requests ────────────────────────────────────────────────────────────────────────────────────────

  #scheduleHeartbeat(connection: Connection, intervalMs: number): void {
    this.#timers.set('heartbeat', intervalMs, () => {
      this.#timers.set('silence', heartbeatAnswerMs, () => this.#lose(connection, 'no answer to a heartbeat'))
      this.#scheduleHeartbeat(connection, intervalMs)
      connection.send({ type: 'heartbeat' })
    })
  }

  protected override request(message: Request['message'], timeoutMs: number): Promise<Downstream> {
    if (this.#isRunning) return this.#requests.open(message, timeoutMs, this.#sendIfOpen)
    return Promise.reject(new RequestError('CLOSED', 'the client is not running: call connect() first'))
  }

  readonly #sendIfOpen = (request: Request): void => {
    if (this.#current !== undefined) this.#sendRequest(this.#current, request)
  }

  #sendRequest(connection: Connection, request: Request): void {
    if (!connection.isOver) this.#requests.onSent(request, connection.send(request.message))
  }

  #setState(state: ClientState): void {
    if (this.#state === state) return
    this.#state = state
    this.emit('state', state)
  }
}
