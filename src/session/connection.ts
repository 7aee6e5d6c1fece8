import { AuthenticationFault, authenticate, recordFailedHandshake } from '../auth/handshake.js'
import type { HandshakeLimiter } from '../auth/handshake-limiter.js'
import { logHandshakeFailure, tooManySessions } from '../auth/handshake-log.js'
import { type CodeName, codes, type EndingCode } from '../protocol/codes.js'
import { handshakeSeconds } from '../protocol/limits.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import { StoreUnavailable } from '../store/store.js'
import type { ConnectedSessions } from './connected-sessions.js'
import type { SessionDependencies } from './dependencies.js'
import { revalidateSession } from './revalidation.js'
import { Session } from './session.js'
import { NoSessionCapacity } from './session-capacity.js'
import type { TickTimes } from './session-source.js'
import type { Transport } from './transport.js'

/** Frames that wait while one is handled. At the bound, reading from the transport pauses until all are handled. */
export const maxQueuedFrames = 64

export interface ConnectionPeer {
  /** The challenge sent on this connection. No other connection can use it. */
  readonly challengeToken: string
  readonly remoteAddress: string
  /** Called once, when the handshake failed, or succeeded and opened a session. */
  readonly onSettled: (hasSession: boolean) => void
}

interface QueuedFrame {
  readonly frame: Uint8Array
  /** Unix milliseconds of the steady clock. */
  readonly receivedAt: number
}

/** Shared dependencies of connections. */
export interface ConnectionServices {
  readonly dependencies: SessionDependencies
  readonly sessions: ConnectedSessions
  readonly limiter: HandshakeLimiter
}

/**
 * A connection that keeps order, from its challenge to its end. It is `challenged` until the first frame,
 * `authenticating` while that frame is checked, then `open` with a session, and at last `closed`. Frames are handled one
 * after another.
 */
export class Connection {
  readonly #services: ConnectionServices
  readonly #transport: Transport
  readonly #peer: ConnectionPeer
  readonly #handshakeEndsAt: number
  #state: 'challenged' | 'authenticating' | 'open' | 'closed' = 'challenged'
  #session: Session | undefined
  #queue: QueuedFrame[] = []
  #busy = false
  #paused = false

  constructor(services: ConnectionServices, transport: Transport, peer: ConnectionPeer) {
    this.#services = services
    this.#transport = transport
    this.#peer = peer
    this.#handshakeEndsAt = services.dependencies.steadyNow() + handshakeSeconds * 1000
  }

  /** Receives the next frame from the client. */
  receive(frame: Uint8Array): void {
    if (this.#state === 'closed') return
    if (this.#busy) {
      this.#enqueue(frame)
      return
    }
    const pending = this.#handle(frame)
    if (pending !== undefined) this.#waitFor(pending)
  }

  #enqueue(frame: Uint8Array): void {
    this.#queue.push({ frame, receivedAt: this.#services.dependencies.steadyNow() })
    if (this.#queue.length < maxQueuedFrames || this.#paused) return
    this.#paused = true
    this.#transport.pause()
  }

  /** @returns undefined when the frame has already been handled */
  #handle(frame: Uint8Array, receivedAt?: number): undefined | Promise<void> {
    if (this.#state === 'challenged') {
      this.#state = 'authenticating'
      return this.#authenticate(frame)
    }
    const pending = this.#session?.receive(frame, receivedAt)
    if (this.#session?.ended === true) this.#settleHandshake('closed')
    return pending
  }

  /** Waits until a frame is handled, then continues with the queue. */
  #waitFor(pending: Promise<void>): void {
    this.#busy = true
    pending
      .catch((error: unknown) => {
        this.#services.dependencies.log.error({ err: error }, 'handling a frame failed')
        this.refuse('INTERNAL')
      })
      .then(() => {
        this.#busy = false
        this.#drainQueue()
      })
      .catch((error: unknown) => this.#services.dependencies.log.error({ err: error }, 'closing a connection failed'))
  }

  #drainQueue(): void {
    while (!this.#busy && this.#state !== 'closed') {
      const next = this.#queue.shift()
      if (next === undefined) break
      const pending = this.#handle(next.frame, next.receivedAt)
      if (pending !== undefined) this.#waitFor(pending)
    }
    if (this.#state === 'closed') this.#queue = []
    if (this.#paused && this.#queue.length === 0) {
      this.#paused = false
      this.#transport.resume()
    }
  }

  async #authenticate(frame: Uint8Array): Promise<void> {
    const { dependencies, limiter } = this.#services
    const { challengeToken: ownToken, remoteAddress } = this.#peer
    try {
      const authenticated = await authenticate(dependencies, limiter, frame, { ownToken, remoteAddress })
      if (this.#state !== 'authenticating') return
      const session = new Session(dependencies, this.#transport, authenticated, ended =>
        this.#services.sessions.remove(ended)
      )
      await this.#open(session)
    } catch (error) {
      await this.#refuseHandshake(error)
    }
  }

  /** @throws NoSessionCapacity, StoreUnavailable */
  async #open(session: Session): Promise<void> {
    const { dependencies, sessions } = this.#services
    if (!(await sessions.add(session))) {
      logHandshakeFailure(dependencies, 'a handshake was refused', tooManySessions, session.peer)
      this.refuse('RATE_LIMITED')
      return
    }
    this.#session = session
    if (this.#state !== 'authenticating') {
      session.connectionLost()
      return
    }
    await Promise.all([revalidateSession(dependencies, session), session.joinOwnChannels()])
    if (session.ended) {
      this.#settleHandshake('closed')
      return
    }
    this.#settleHandshake('open')
    session.welcome()
    dependencies.observer.handshake('welcome')
    session.log.info({ keyId: session.peer.keyId, remoteAddress: this.#peer.remoteAddress }, 'session opened')
  }

  async #refuseHandshake(error: unknown): Promise<void> {
    const { dependencies, limiter } = this.#services
    const { remoteAddress } = this.#peer
    if (error instanceof NoSessionCapacity) {
      this.refuse(error.code)
      return
    }
    if (error instanceof StoreUnavailable) {
      dependencies.boundedLog.storeFailed('handshakes', error)
      // The client never got a welcome, so it has no session and no keys: its error is unsigned.
      this.#session?.connectionLost()
      this.#session = undefined
      this.refuse('UNAVAILABLE')
      return
    }
    if (!(error instanceof ProtocolError)) throw error
    const { code, message } = error
    if (code === 'RATE_LIMITED') {
      dependencies.boundedLog.floods.record({ remoteAddress })
      this.refuse(code)
      return
    }
    if (!(error instanceof AuthenticationFault)) {
      logHandshakeFailure(dependencies, 'a handshake was malformed', message, { remoteAddress }, code)
    }
    const waitMs = await recordFailedHandshake(dependencies, limiter, error, remoteAddress)
    this.refuse(waitMs > 0 ? 'RATE_LIMITED' : code)
  }

  /** Closes the connection with an error: unsigned before a session, with one message per code (PROTOCOL §4). */
  refuse(code: CodeName, message: string = codes[code].message): void {
    if (this.#state === 'closed') return
    this.#settleHandshake('closed')
    if (this.#session !== undefined) {
      this.#session.end(code as EndingCode)
      return
    }
    this.#services.dependencies.observer.handshake(code)
    this.#transport.send(JSON.stringify({ type: 'error', code, message }))
    const { close } = codes[code] as { close?: number }
    this.#transport.close(close ?? codes.INTERNAL.close, code)
  }

  #settleHandshake(state: 'open' | 'closed'): void {
    const isSettling = this.#state === 'challenged' || this.#state === 'authenticating'
    this.#state = state
    if (isSettling) this.#peer.onSettled(state === 'open')
  }

  /** Ends a handshake that takes too long (PROTOCOL §4). A session has timeouts of its own. */
  tick({ steadyNow, isGracePeriod }: Pick<TickTimes, 'steadyNow' | 'isGracePeriod'>): void {
    if (this.#state === 'challenged' && steadyNow >= this.#handshakeEndsAt && !isGracePeriod) {
      this.refuse('PROTOCOL_ERROR', `no authenticate within ${handshakeSeconds} s`)
    }
  }

  /** The transport closed. */
  connectionLost(): void {
    this.#settleHandshake('closed')
    this.#queue = []
    this.#session?.connectionLost()
  }
}
