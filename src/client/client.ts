import { closeNormal, endingClassOf } from '../protocol/codes.js'
import type { Downstream, DownstreamMessages } from '../protocol/messages.js'
import { pauseMs, triesBeforeTelling } from './backoff.js'
import { Calls } from './calls.js'
import { ClientChannels, type Position, type PublicationHandler, type Subscription } from './channels.js'
import type { ClientOptions, ClientState, Platform, Welcome } from './options.js'
import { type Request, RequestError, Requests } from './requests.js'
import { ClientSession, type Credential } from './session.js'
import type { ClientSocket } from './socket.js'
import { Timers } from './timers.js'
import { handshakeMs, heartbeatAnswerMs, renewAfterMs } from './timing.js'

/** A connection, with its session once it is welcomed. */
interface Link {
  readonly session: ClientSession
  readonly socket: ClientSocket
  over: boolean
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/**
 * A client that keeps itself connected: verifies every frame, sends heartbeats, answers challenges, comes back by the
 * rules of PROTOCOL §5, and asks again what a lost session left unanswered. Listeners may call anything, also `close`.
 */
export class CountersignClient extends Calls {
  readonly #options: ClientOptions
  readonly #platform: Platform
  readonly #requests: Requests
  readonly #timers: Timers
  readonly #channels: ClientChannels
  #state: ClientState = 'disconnected'
  #wanted = false
  /** The connection that has a session. */
  #link: Link | undefined
  /** The connection that is to have one; during a move there is a link beside it (PROTOCOL §4). */
  #next: Link | undefined
  #failures = 0
  /** Handshakes refused since the last session. */
  #refusals = 0
  #hadSession = false

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
      send: message => (this.#link === undefined || this.#link.over ? undefined : this.#send(this.#link, message)),
      emit: (name, event) => this.emit(name, event),
      askAgainIn: ms => this.#timers.set('resubscribe', ms, () => this.#channels.askAgain())
    })
  }

  get state(): ClientState {
    return this.#state
  }

  /** Starts, and keeps going until {@link close} or a signed refusal for good. */
  connect(): this {
    if (!this.#wanted) {
      this.#wanted = true
      this.#failures = 0
      this.#setState('connecting')
      void this.#open()
    }
    return this
  }

  /**
   * Keeps a channel joined, over reconnects too: `handler` is called once for each publication, in order. What cannot be
   * made up for after a break is told by the event `missed`.
   * @param recover  the last position had, say from before a page was left: what came after it is made up for
   * @throws Error where this channel is subscribed to already
   */
  subscribe(channel: string, handler: PublicationHandler, { recover }: { recover?: Position } = {}): Subscription {
    return this.#channels.subscribe(channel, handler, recover)
  }

  protected override newKey(): string {
    return this.#platform.nonce()
  }

  /** Says bye and stays away. Requests that wait are rejected. */
  close(): void {
    this.#wanted = false
    this.#leave(this.#link)
    this.#stop('CLOSED', 'the client was closed')
  }

  // ── Connections ────────────────────────────────────────────────────────────────────────────────────────────────────

  async #open(): Promise<void> {
    try {
      const { credential: given, attributes, url } = this.#options
      const credential: Credential = typeof given === 'function' ? await given() : given
      if (!this.#wanted || this.#next !== undefined) return
      const { createMac, nonce, openSocket } = this.#platform
      const session = new ClientSession(createMac, credential, nonce(), attributes)
      const socket = openSocket(url, {
        onMessage: frame => this.#receive(link, frame),
        onClose: code => this.#lose(link, `the connection closed with ${code}`)
      })
      const link: Link = { session, socket, over: false }
      this.#next = link
      this.#timers.set('handshake', handshakeMs, () => this.#lose(link, 'no welcome in time'))
    } catch (error) {
      if (this.#wanted) this.#retry(`could not connect: ${textOf(error)}`)
    }
  }

  #receive(link: Link, frame: Uint8Array): void {
    if (link.over) return
    try {
      const received = link.session.receive(frame)
      const signed = received.kind !== 'challenge' && received.kind !== 'hint'
      if (signed) this.#timers.clear('silence')
      this.emit('frame', { direction: 'down', text: new TextDecoder().decode(frame), signed })
      if (link.over) return
      if (received.kind === 'challenge') this.#sendFrame(link, received.answer)
      else if (received.kind === 'welcome') this.#welcome(link, received.welcome)
      else if (received.kind === 'message') this.#handle(link, received.message)
      else if (received.kind === 'hint') this.#hint(link, received)
    } catch (error) {
      this.#lose(link, textOf(error))
    }
  }

  #welcome(link: Link, welcome: Welcome): void {
    const before = this.#link
    this.#link = link
    this.#next = undefined
    this.#failures = 0
    this.#refusals = 0
    this.#hadSession = true
    this.#timers.clear('handshake', 'retry')
    this.#leave(before)
    this.#beatEvery(link, welcome.heartbeatInterval * 1000)
    this.#timers.set('renew', renewAfterMs(welcome), () => void this.#open())
    this.#timers.clear('resubscribe')
    for (const request of this.#requests.restart()) this.#ask(link, request)
    this.#channels.restart(welcome)
    this.#setState('connected')
    if (!link.over) this.emit('welcome', welcome)
  }

  #handle(link: Link, message: Downstream): void {
    switch (message.type) {
      case 'challenge':
        this.#sendFrame(link, link.session.answerChallenge(message.challengeToken).frame)
        return
      case 'reconnect':
        // The next session is opened first; its welcome ends this one (PROTOCOL §4).
        this.#timers.set('renew', message.afterMs, () => void this.#open())
        return
      case 'error':
        this.#fail(link, message)
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

  /** PROTOCOL §5: only a signed error of class 44xx is the end; with `re` and a code that ends nothing it answers. */
  #fail(link: Link, { code, message, re, retryAfterMs }: DownstreamMessages['error']): void {
    const ending = endingClassOf(code)
    const passing = re !== undefined && (code === 'RATE_LIMITED' || code === 'UNAVAILABLE')
    if (ending === 'none' || passing) {
      if (this.#channels.fail(re, code, retryAfterMs)) return
      this.#requests.settle(re, request => request.reject(new RequestError(code, message, retryAfterMs)))
    } else if (ending === 'transient') this.#lose(link, `${code}: ${message}`, retryAfterMs)
    else {
      this.#wanted = false
      this.#stop(code, message)
      this.emit('stopped', { code, message })
    }
  }

  /** The gateway refused the handshake, unsigned: not to be believed for good, but not to be hammered either. */
  #hint(link: Link, { code, message, retryAfterMs }: { code: string; message: string; retryAfterMs: number }): void {
    if (endingClassOf(code) === 'permanent') this.#refusals++
    this.#lose(link, `${code}: ${message}`, retryAfterMs)
  }

  /** A connection is over. Another one may stand, or be on its way. */
  #lose(link: Link, reason: string, hintedMs = 0): void {
    if (link.over) return
    link.over = true
    link.socket.close()
    if (this.#next === link) {
      this.#next = undefined
      this.#timers.clear('handshake')
    } else {
      this.#link = undefined
      this.#timers.clear('heartbeat', 'silence', 'renew')
      if (this.#wanted) this.#setState('connecting')
    }
    if (this.#wanted && this.#next === undefined) this.#retry(reason, hintedMs)
  }

  #retry(reason: string, hintedMs = 0): void {
    const tries = ++this.#failures
    const slowly = tries >= triesBeforeTelling && (!this.#hadSession || this.#refusals >= triesBeforeTelling)
    const pause = pauseMs(tries, this.#platform.random(), slowly, hintedMs)
    this.#timers.set('retry', pause, () => void this.#open())
    if (slowly && tries % triesBeforeTelling === 0) this.emit('trouble', { reason, tries })
    else if (this.#hadSession) this.emit('lost', { reason })
  }

  /** Says bye where there is a session. What it was asked stays asked. */
  #leave(link: Link | undefined): void {
    if (link === undefined || link.over) return
    this.#send(link, { type: 'bye' })
    link.over = true
    link.socket.close(closeNormal)
  }

  /** Lets everything go. */
  #stop(code: string, message: string): void {
    this.#timers.clear('retry', 'handshake', 'heartbeat', 'silence', 'renew', 'resubscribe')
    for (const link of [this.#link, this.#next]) {
      if (link === undefined || link.over) continue
      link.over = true
      link.socket.close(closeNormal)
    }
    this.#link = undefined
    this.#next = undefined
    this.#requests.rejectAll(new RequestError(code, message))
    this.#setState('disconnected')
  }

  // ── Heartbeats and requests ────────────────────────────────────────────────────────────────────────────────────────

  #beatEvery(link: Link, intervalMs: number): void {
    this.#timers.set('heartbeat', intervalMs, () => {
      this.#timers.set('silence', heartbeatAnswerMs, () => this.#lose(link, 'no answer to a heartbeat'))
      this.#beatEvery(link, intervalMs)
      this.#send(link, { type: 'heartbeat' })
    })
  }

  protected override request(message: Request['message'], timeoutMs: number): Promise<Downstream> {
    if (!this.#wanted) return Promise.reject(new RequestError('CLOSED', 'connect() first'))
    return this.#requests.open(message, timeoutMs, request => {
      if (this.#link !== undefined) this.#ask(this.#link, request)
    })
  }

  #ask(link: Link, request: Request): void {
    if (!link.over) this.#requests.sentAs(request, this.#send(link, request.message))
  }

  /** @returns the frame's seq */
  #send(link: Link, message: Request['message']): number {
    const { seq, frame } = link.session.sign(message)
    this.#sendFrame(link, frame)
    return seq
  }

  #sendFrame(link: Link, frame: string): void {
    link.socket.send(frame)
    this.emit('frame', { direction: 'up', text: frame, signed: true })
  }

  #setState(state: ClientState): void {
    if (this.#state === state) return
    this.#state = state
    this.emit('state', state)
  }
}
