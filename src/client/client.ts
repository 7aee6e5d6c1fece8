import { codes } from '../protocol/codes.js'
import type { MacMaker } from '../protocol/mac.js'
import type { Attributes, Downstream, DownstreamMessages } from '../protocol/messages.js'
import { pauseMs, triesBeforeTelling } from './backoff.js'
import { Emitter } from './events.js'
import { maxPendingRequests, type Request, RequestError, Requests } from './requests.js'
import { ClientSession, type Credential } from './session.js'
import type { ClientSocket, OpenSocket } from './socket.js'

/** PROTOCOL §6: without a verified frame for so long after a heartbeat the connection counts as dead. */
const heartbeatAnswerMs = 10_000
/** From opening a socket to a verified welcome. */
const handshakeMs = 10_000
/** A session is exchanged for a new one so long before its end. */
const renewBeforeMs = 30_000
const defaultTimeoutMs = 10_000

export type ClientState = 'disconnected' | 'connecting' | 'connected'

/** A session as the gateway welcomed it. */
export type Welcome = DownstreamMessages['welcome']
export type Validation = Pick<
  DownstreamMessages['validation'],
  'valid' | 'code' | 'serviceId' | 'licenseId' | 'expiresAt' | 'maxHwids' | 'boundHwids'
>

export interface ClientEvents {
  state: ClientState
  welcome: Welcome
  /** A frame as it passed. `signed`: its signature was made or verified here. */
  frame: { readonly direction: 'up' | 'down'; readonly text: string; readonly signed: boolean }
  /** Tries go on, but the application should know: nothing has come of them so far. */
  trouble: { readonly reason: string; readonly tries: number }
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

interface Link {
  readonly session: ClientSession
  readonly socket: ClientSocket
  welcomed: boolean
  over: boolean
}

/**
 * A client that keeps itself connected: verifies every frame, sends heartbeats, answers challenges, comes back by the
 * rules of PROTOCOL §5, and asks again what a lost session left unanswered.
 */
export class CountersignClient extends Emitter<ClientEvents> {
  readonly #options: ClientOptions
  readonly #platform: Platform
  readonly #requests = new Requests()
  readonly #timers = new Map<'retry' | 'handshake' | 'heartbeat' | 'silence' | 'renew', unknown>()
  #state: ClientState = 'disconnected'
  #wanted = false
  #link: Link | undefined
  #failures = 0
  #hadSession = false

  constructor(platform: Platform, options: ClientOptions) {
    super()
    this.#platform = platform
    this.#options = options
  }

  get state(): ClientState {
    return this.#state
  }

  /** Starts, and keeps going until {@link close} or a signed refusal for good. */
  connect(): this {
    if (!this.#wanted) {
      this.#wanted = true
      this.#failures = 0
      void this.#open()
    }
    return this
  }

  /**
   * Whether a license key is good on a hardware id, now.
   * @param timeoutMs  default 10,000; meanwhile the client may reconnect and ask again
   * @throws RequestError
   */
  async validate(
    question: { readonly serviceId: string; readonly hwid?: string; readonly key: string },
    timeoutMs: number = defaultTimeoutMs
  ): Promise<Validation> {
    const answer = await this.#request({ type: 'validate', ...question }, timeoutMs)
    if (answer.type !== 'validation') throw new RequestError('PROTOCOL_ERROR', `answered by ${answer.type}`)
    const { type: _type, seq: _seq, re: _re, ...validation } = answer
    return validation
  }

  /** A heartbeat out of turn. @returns the gateway's clock, unix milliseconds @throws RequestError */
  async heartbeat(timeoutMs: number = defaultTimeoutMs): Promise<number> {
    const answer = await this.#request({ type: 'heartbeat' }, timeoutMs)
    if (answer.type !== 'heartbeat') throw new RequestError('PROTOCOL_ERROR', `answered by ${answer.type}`)
    return answer.serverTime
  }

  /** Says bye and stays away. Requests that wait are rejected. */
  close(): void {
    this.#wanted = false
    if (this.#link?.welcomed === true) this.#send(this.#link, { type: 'bye' })
    this.#drop(1000)
    this.#rejectAll('CLOSED', 'the client was closed')
    this.#setState('disconnected')
  }

  // ── Connection ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async #open(): Promise<void> {
    this.#setState('connecting')
    let credential: Credential
    try {
      const { credential: given } = this.#options
      credential = typeof given === 'function' ? await given() : given
    } catch (error) {
      this.#retry(`no credential: ${error instanceof Error ? error.message : String(error)}`)
      return
    }
    if (!this.#wanted || this.#link !== undefined) return
    const { createMac, nonce, openSocket } = this.#platform
    const session = new ClientSession(createMac, credential, nonce(), this.#options.attributes)
    const socket = openSocket(this.#options.url, {
      onMessage: frame => this.#receive(link, frame),
      onClose: code => this.#lose(link, `the connection closed with ${code}`)
    })
    const link: Link = { session, socket, welcomed: false, over: false }
    this.#link = link
    this.#setTimer('handshake', handshakeMs, () => this.#lose(link, 'no welcome in time'))
  }

  #receive(link: Link, frame: Uint8Array): void {
    if (link.over) return
    try {
      const received = link.session.receive(frame)
      const signed = received.kind !== 'challenge' && received.kind !== 'hint'
      this.emit('frame', { direction: 'down', text: new TextDecoder().decode(frame), signed })
      if (signed) this.#clearTimer('silence')
      switch (received.kind) {
        case 'challenge':
          this.#sendFrame(link, received.answer)
          break
        case 'welcome':
          this.#welcome(link, received.welcome)
          break
        case 'message':
          this.#handle(link, received.message)
          break
        case 'hint':
          this.#lose(link, `${received.code}: ${received.message}`)
          break
        case 'unknown':
          break
      }
    } catch (error) {
      this.#lose(link, error instanceof Error ? error.message : String(error))
    }
  }

  #welcome(link: Link, welcome: Welcome): void {
    link.welcomed = true
    this.#failures = 0
    this.#hadSession = true
    this.#clearTimer('handshake')
    this.#setState('connected')
    this.emit('welcome', welcome)
    this.#beatEvery(link, welcome.heartbeatInterval * 1000)
    const leftMs = welcome.expiresAt - welcome.serverTime - renewBeforeMs
    this.#setTimer('renew', Math.max(leftMs, 0), () => this.#move(link, 0))
    for (const request of this.#requests.restart()) this.#ask(link, request)
  }

  #handle(link: Link, message: Downstream): void {
    switch (message.type) {
      case 'challenge':
        this.#sendFrame(link, link.session.answerChallenge(message.challengeToken).frame)
        return
      case 'reconnect':
        this.#move(link, message.afterMs)
        return
      case 'error':
        this.#fail(link, message)
        return
      default:
        if ('re' in message) this.#settle(message.re, request => request.resolve(message))
    }
  }

  /** PROTOCOL §5: only a signed error of class 44xx is the end; with `re` and a code that ends nothing it is an answer. */
  #fail(link: Link, { code, message, re, retryAfterMs }: DownstreamMessages['error']): void {
    const close = Object.hasOwn(codes, code) ? (codes as Record<string, { close?: number }>)[code]?.close : undefined
    const passing = re !== undefined && (code === 'RATE_LIMITED' || code === 'UNAVAILABLE')
    if (close === undefined || passing) {
      this.#settle(re, request => request.reject(new RequestError(code, message, retryAfterMs)))
      return
    }
    if (close >= 4500) {
      this.#lose(link, `${code}: ${message}`)
      return
    }
    this.#wanted = false
    this.#drop()
    this.#rejectAll(code, message)
    this.#setState('disconnected')
    this.emit('stopped', { code, message })
  }

  /** Leaves this session for another one. */
  #move(link: Link, afterMs: number): void {
    this.#setTimer('renew', afterMs, () => {
      if (link.over) return
      this.#send(link, { type: 'bye' })
      this.#drop(1000)
      if (this.#wanted) void this.#open()
    })
  }

  #lose(link: Link, reason: string): void {
    if (link.over || this.#link !== link) return
    this.#drop()
    if (this.#wanted) this.#retry(reason)
  }

  #retry(reason: string): void {
    this.#failures++
    this.#setState('connecting')
    if (!this.#hadSession && this.#failures % triesBeforeTelling === 0) {
      this.emit('trouble', { reason, tries: this.#failures })
    }
    const pause = pauseMs(this.#failures, this.#platform.random(), this.#hadSession)
    this.#setTimer('retry', pause, () => void this.#open())
  }

  /** Lets the link go. What it was asked stays asked. */
  #drop(code?: number): void {
    for (const name of this.#timers.keys()) this.#clearTimer(name)
    const link = this.#link
    this.#link = undefined
    if (link === undefined) return
    link.over = true
    link.socket.close(code)
  }

  // ── Heartbeats and requests ────────────────────────────────────────────────────────────────────────────────────────

  #beatEvery(link: Link, intervalMs: number): void {
    this.#setTimer('heartbeat', intervalMs, () => {
      this.#send(link, { type: 'heartbeat' })
      this.#setTimer('silence', heartbeatAnswerMs, () => this.#lose(link, 'no answer to a heartbeat'))
      this.#beatEvery(link, intervalMs)
    })
  }

  #request(message: Request['message'], timeoutMs: number): Promise<Downstream> {
    return new Promise((resolve, reject) => {
      if (!this.#wanted) return reject(new RequestError('CLOSED', 'connect() first'))
      if (this.#requests.size >= maxPendingRequests) {
        return reject(new RequestError('TOO_MANY', `${maxPendingRequests} requests wait already`))
      }
      const request: Request = { message, resolve, reject, timer: undefined }
      request.timer = this.#platform.setTimer(() => {
        this.#requests.drop(request)
        reject(new RequestError('TIMEOUT', `no answer within ${timeoutMs} ms`))
      }, timeoutMs)
      this.#requests.add(request)
      if (this.#link?.welcomed === true) this.#ask(this.#link, request)
    })
  }

  #ask(link: Link, request: Request): void {
    this.#requests.sentAs(request, this.#send(link, request.message))
  }

  #settle(re: number | undefined, settle: (request: Request) => void): void {
    const request = this.#requests.take(re)
    if (request === undefined) return
    this.#platform.clearTimer(request.timer)
    settle(request)
  }

  #rejectAll(code: string, message: string): void {
    for (const request of this.#requests.restart()) {
      this.#requests.drop(request)
      this.#platform.clearTimer(request.timer)
      request.reject(new RequestError(code, message))
    }
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

  #setTimer(name: 'retry' | 'handshake' | 'heartbeat' | 'silence' | 'renew', ms: number, call: () => void): void {
    this.#clearTimer(name)
    // Timers hold 31 bits of milliseconds; a session of 24 h fits.
    this.#timers.set(name, this.#platform.setTimer(call, ms))
  }

  #clearTimer(name: 'retry' | 'handshake' | 'heartbeat' | 'silence' | 'renew'): void {
    this.#platform.clearTimer(this.#timers.get(name))
    this.#timers.delete(name)
  }
}
