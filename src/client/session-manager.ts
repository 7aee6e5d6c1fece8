import { closeNormal } from '../protocol/codes.js'
import type { Downstream } from '../protocol/messages.js'
import { type AttemptOptions, Attempts } from './attempts.js'
import type { FailureKind } from './backoff.js'
import { ClosingStage } from './closing.js'
import type { Connection } from './connection.js'
import type { Encoded } from './encode.js'
import { reasonOf } from './errors.js'
import { Heartbeats } from './heartbeats.js'
import { type RouterHost, routeMessage } from './message-router.js'
import type { Platform, Welcome } from './options.js'
import { Requests } from './requests.js'
import { RetiredConnections } from './retired-connections.js'
import { ServedCalls, type ServedCallsHost } from './served-calls.js'
import type { SessionHost } from './session-host.js'
import { Timers } from './timers.js'
import { renewAfterMs } from './timing.js'

/**
 * The sessions from one `connect` to its `close`: one after another, briefly two (PROTOCOL §4.5), reconnecting by the
 * rules of PROTOCOL §5.3. It outlives `close` until accepted messages are sent and `bye` is answered, separate from the
 * sessions of the next `connect`.
 */
export class SessionManager {
  readonly #requests: Requests
  readonly #timers: Timers
  readonly #attempts: Attempts
  readonly #heartbeats: Heartbeats
  /** undefined once the client was closed. */
  #host: SessionHost | undefined
  /** Also called for the last frames of a closed client. */
  readonly #onFrame: SessionHost['onFrame']
  /** Also used for handlers that are running when the client is closed. */
  readonly #servedHost: ServedCallsHost
  readonly #retired: RetiredConnections
  readonly #router: RouterHost
  #closing: ClosingStage | undefined
  #isOver = false
  /** The connection with the current session. */
  #current: Connection | undefined

  /** @param run  does the client's own work, then calls listeners */
  constructor(platform: Platform, options: AttemptOptions, host: SessionHost, run: (work: () => void) => void) {
    this.#host = host
    this.#onFrame = host.onFrame
    const timed = {
      clearTimer: platform.clearTimer,
      setTimer: (call: () => void, ms: number) => platform.setTimer(() => run(call), ms)
    }
    this.#timers = new Timers(timed)
    this.#heartbeats = new Heartbeats(this.#timers, connection => this.#lose(connection, 'no answer to a heartbeat'))
    this.#requests = new Requests({
      ...timed,
      send: encoded => this.#current?.sendRequest(encoded),
      onSent: () => this.#closing?.proceed(),
      causeOfNoSession: () => (this.#current === undefined ? this.#attempts.cause : undefined)
    })
    const { handlerOf, dispatch, fault } = host
    const onSettled = () => {
      this.#retired.endIdle()
      this.#closing?.proceed()
    }
    this.#servedHost = { ...timed, handlerOf, dispatch, fault, run, now: platform.now, onSettled }
    this.#retired = new RetiredConnections(timed)
    this.#router = this.#createRouterHost()
    this.#attempts = new Attempts(platform, options, this.#timers, run, {
      current: () => this.#current,
      onFrame: (connection, frame) => this.#receive(connection, frame),
      onSent: frame => this.#onFrame('up', frame, true),
      onClosed: (connection, reason) => this.#lose(connection, reason),
      onTrouble: (reason, tries) => this.#host?.onTrouble(reason, tries)
    })
  }

  /** The connection with the current session. */
  get current(): Connection | undefined {
    return this.#current
  }

  start(): void {
    this.#host?.onState('connecting')
    this.#attempts.open('open')
  }

  /** The network or the page is back, or the application asks for a check: probes the session, or connects soon. */
  wake(): void {
    if (this.#isOver) return
    if (this.#current === undefined) this.#attempts.wake()
    else if (this.#closing === undefined) this.#heartbeats.probe(this.#current)
  }

  // ── Frames ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #receive(connection: Connection, frame: Uint8Array): void {
    if (connection.isOver) return
    try {
      const received = connection.session.receive(frame)
      const signed = received.kind !== 'challenge' && received.kind !== 'hint'
      if (signed && connection === this.#current) this.#heartbeats.heard()
      this.#onFrame('down', frame, signed)
      if (received.kind === 'challenge') connection.sendFrame(received.answer)
      else if (received.kind === 'welcome') this.#welcome(connection, received.welcome)
      else if (received.kind === 'message') routeMessage(connection, received.message, this.#router)
      else if (received.kind === 'hint') {
        this.#lose(connection, `${received.code}: ${received.message}`, received.retryAfterMs, 'refused')
      }
    } catch (error) {
      this.#lose(connection, reasonOf(error))
    }
  }

  #welcome(connection: Connection, welcome: Welcome): void {
    const previous = this.#current
    const purpose = this.#attempts.succeeded()
    if (purpose === 'renew' && previous?.welcome !== undefined && welcome.expiresAt <= previous.welcome.expiresAt) {
      // The renewal gained nothing, so it is not repeated (PROTOCOL §4.5).
      connection.endWithBye()
      return
    }
    const served = new ServedCalls(connection, welcome.serverTime, this.#servedHost)
    connection.open(welcome, served)
    if (this.#closing !== undefined) served.close()
    this.#current = connection
    this.#attempts.sessionOpened()
    this.#timers.clear('resubscribe')
    this.#heartbeats.start(connection, welcome.heartbeatInterval * 1000)
    this.#timers.set('renew', renewAfterMs(welcome), () => this.#attempts.open('renew'))
    this.#requests.restart()
    this.#host?.onState('connected')
    this.#host?.onWelcome(welcome)
    if (previous !== undefined) this.#retired.add(previous)
    this.#closing?.proceed()
  }

  #createRouterHost(): RouterHost {
    return {
      isCurrent: connection => connection === this.#current,
      onChannelMessage: message => this.#host?.onChannelMessage(message),
      onAnswer: (re, message) => {
        if (re === this.#current?.byeSeq) this.#closing?.end()
        else this.#requests.settle(re, message)
      },
      onRefused: error => {
        if (this.#host?.onRefused(error) !== true) this.#requests.refuse(error)
      },
      onReconnect: (connection, afterMs) => {
        // The next session is opened first; its welcome ends this one (PROTOCOL §7.1).
        this.#attempts.expectRestart()
        if (connection === this.#current) this.#timers.set('renew', afterMs, () => this.#attempts.open('move'))
      },
      onEnded: (connection, { code, message, retryAfterMs }) => {
        if (code === 'DRAINING') this.#attempts.expectRestart()
        this.#lose(connection, `${code}: ${message}`, retryAfterMs, 'refused')
      },
      onStopped: (code, message) => this.#stop(code, message)
    }
  }

  /** Ends one connection. Another one may be open, or in its handshake. */
  #lose(connection: Connection, reason: string, hintedMs = 0, kind: FailureKind = 'network'): void {
    if (connection.isOver) return
    connection.end()
    if (this.#attempts.isOf(connection)) {
      this.#attempts.failed(kind, reason, hintedMs)
      return
    }
    this.#retired.endIdle()
    if (this.#current !== connection) return
    this.#current = undefined
    this.#timers.clear('renew')
    this.#heartbeats.stop()
    if (connection.byeSeq !== undefined) {
      this.#closing?.end()
      return
    }
    this.#host?.onState('connecting')
    this.#host?.onLost(reason)
    this.#attempts.sessionLost(reason, hintedMs)
  }

  // ── Requests ───────────────────────────────────────────────────────────────────────────────────────────────────────

  request(encoded: Encoded, timeoutMs: number): Promise<Downstream> {
    return this.#requests.open(encoded, timeoutMs)
  }

  /** Sends a message of a channel. @returns its `seq`; undefined without a session */
  send(encoded: Encoded): number | undefined {
    return this.#current?.sendRequest(encoded)
  }

  /** Calls after a delay, unless the session has changed by then. */
  retryJoinsAfter(ms: number, call: () => void): void {
    this.#timers.set('resubscribe', ms, call)
  }

  // ── The end ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A signed error of the gateway: reconnecting would not help. */
  #stop(code: string, message: string): void {
    const host = this.#host
    this.#finish(code, message)
    host?.onState('disconnected')
    host?.onStopped(code, message)
    this.#closing?.end()
  }

  /** @returns when accepted messages are sent and `bye` is answered, within 5 s and 2 s */
  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing.done
    if (this.#isOver) return Promise.resolve()
    this.#host = undefined
    this.#timers.clear('renew', 'resubscribe')
    this.#heartbeats.stop()
    const connections = () => [...this.#retired.connections, this.#current]
    for (const connection of connections()) connection?.served?.close()
    const host = {
      hasUnsent: () => this.#requests.hasUnsent || connections().some(connection => connection?.isBusy),
      sendBye: () => {
        this.#current?.sendBye()
        return this.#current !== undefined
      },
      finish: () => this.#finish('CLOSED', 'the client was closed')
    }
    this.#closing = new ClosingStage(host, this.#timers)
    this.#closing.begin()
    return this.#closing.done
  }

  #finish(code: string, message: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#host = undefined
    this.#attempts.drop()
    this.#timers.clearAll()
    this.#retired.endAll()
    this.#current?.end(closeNormal)
    this.#current = undefined
    this.#requests.rejectAll(code, message)
  }
}
