import { AuthenticationFault, authenticate } from '../auth/handshake.js'
import type { HandshakeLimiter } from '../auth/handshake-limiter.js'
import { type CodeName, codes, type EndingCode } from '../protocol/codes.js'
import { handshakeSeconds } from '../protocol/limits.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import { StoreUnavailable } from '../store/store.js'
import type { SessionDependencies } from './dependencies.js'
import type { Hub } from './hub.js'
import { Session } from './session.js'
import type { Transport } from './transport.js'

/** Frames that wait while one is handled; then reading stops until they are done. */
export const inboxFrames = 64

/** Who is at the other end of a connection. */
export interface ConnectionPeer {
  /** Where alone the connection's challenge is good. */
  readonly binding: string
  readonly challengeToken: string
  readonly remoteAddress: string
  /** Called once the handshake is over, one way or the other. */
  readonly onSettled: () => void
}

/**
 * A connection that keeps order, from its challenge to its end. States: `challenged` until the first frame,
 * `authenticating` while that is judged, `open` with a session, `closed`. Frames are handled one after another.
 */
export class Connection {
  readonly #dependencies: SessionDependencies
  readonly #hub: Hub
  readonly #transport: Transport
  readonly #peer: ConnectionPeer
  readonly #brake: HandshakeLimiter
  readonly #handshakeEndsAt: number
  #state: 'challenged' | 'authenticating' | 'open' | 'closed' = 'challenged'
  #session: Session | undefined
  #inbox: Uint8Array[] = []
  #busy = false
  #paused = false

  constructor(
    dependencies: SessionDependencies,
    hub: Hub,
    transport: Transport,
    peer: ConnectionPeer,
    brake: HandshakeLimiter
  ) {
    this.#dependencies = dependencies
    this.#hub = hub
    this.#transport = transport
    this.#peer = peer
    this.#brake = brake
    this.#handshakeEndsAt = dependencies.now() + handshakeSeconds * 1000
  }

  #settleHandshake(state: 'open' | 'closed'): void {
    const settles = this.#state === 'challenged' || this.#state === 'authenticating'
    if (this.#state === 'challenged') this.#takeChallengeBack()
    this.#state = state
    if (settles) this.#peer.onSettled()
  }

  /** Nobody can answer it any more: it need not wait for its 60 s in the store. */
  #takeChallengeBack(): void {
    const { store, log } = this.#dependencies
    store.challenges
      .consume(this.#peer.challengeToken)
      .catch((error: unknown) => log.debug({ err: error }, 'a challenge was left to its end'))
  }

  /** The next frame from the peer, as bytes. */
  receive(frame: Uint8Array): void {
    if (this.#state === 'closed') return
    if (this.#busy) {
      this.#inbox.push(frame)
      if (this.#inbox.length >= inboxFrames && !this.#paused) {
        this.#paused = true
        this.#transport.pause()
      }
      return
    }
    const pending = this.#handle(frame)
    if (pending !== undefined) this.#settle(pending)
  }

  #handle(frame: Uint8Array): undefined | Promise<void> {
    if (this.#state === 'challenged') {
      this.#state = 'authenticating'
      return this.#authenticate(frame)
    }
    const pending = this.#session?.receive(frame)
    if (this.#session?.ended === true) this.#settleHandshake('closed')
    return pending
  }

  /** Waits for a frame's answer, then goes on with those that came meanwhile. */
  #settle(pending: Promise<void>): void {
    this.#busy = true
    pending
      .catch((error: unknown) => {
        this.#dependencies.log.error({ err: error }, 'a frame could not be handled')
        this.refuse('INTERNAL')
      })
      .then(() => {
        this.#busy = false
        this.#drainInbox()
      })
  }

  #drainInbox(): void {
    while (!this.#busy && this.#state !== 'closed') {
      const next = this.#inbox.shift()
      if (next === undefined) break
      const pending = this.#handle(next)
      if (pending !== undefined) this.#settle(pending)
    }
    if (this.#state === 'closed') this.#inbox = []
    if (this.#paused && this.#inbox.length === 0) {
      this.#paused = false
      this.#transport.resume()
    }
  }

  async #authenticate(frame: Uint8Array): Promise<void> {
    const { observer, log } = this.#dependencies
    const { binding, remoteAddress } = this.#peer
    try {
      // Asked again: many sockets may have been opened before any of them failed.
      if ((await this.#brake.retryAfterMs(remoteAddress)) > 0) {
        this.refuse('RATE_LIMITED')
        return
      }
      const authenticated = await authenticate(this.#dependencies, frame, binding, remoteAddress)
      if (this.#state !== 'authenticating') return
      const session = new Session(this.#dependencies, this.#transport, authenticated, ended => this.#hub.remove(ended))
      if (!(await this.#hub.add(session))) {
        this.refuse('RATE_LIMITED')
        return
      }
      this.#session = session
      if (this.#state !== 'authenticating') {
        session.lost()
        return
      }
      await Promise.all([this.#hub.recheck(session), session.joinOwnChannels()])
      if (session.ended) {
        this.#settleHandshake('closed')
        return
      }
      this.#settleHandshake('open')
      session.welcome()
      observer.handshake('welcome')
      session.log.info({ keyId: session.peer.keyId, remoteAddress }, 'session opened')
    } catch (error) {
      if (error instanceof ProtocolError) {
        if (error.code !== 'AUTHENTICATION_FAILED') {
          log.info({ code: error.code, reason: error.message, remoteAddress }, 'not a handshake')
        }
        this.#brake.failed(remoteAddress, error instanceof AuthenticationFault ? error.clientId : undefined)
        this.refuse(error.code)
      } else if (error instanceof StoreUnavailable) {
        log.warn({ err: error.cause }, 'no handshake: the store does not answer')
        // What was opened but never welcomed is no session to the peer: it is told unsigned.
        this.#session?.lost()
        this.#session = undefined
        this.refuse('UNAVAILABLE')
      } else throw error
    }
  }

  /** The last word to a peer without a session: unsigned, one text per code (PROTOCOL §4). */
  refuse(code: CodeName, message: string = codes[code].message): void {
    if (this.#state === 'closed') return
    this.#settleHandshake('closed')
    if (this.#session !== undefined) {
      this.#session.end(code as EndingCode)
      return
    }
    this.#dependencies.observer.handshake(code)
    this.#transport.send(JSON.stringify({ type: 'error', code, message }))
    const { close } = codes[code] as { close?: number }
    this.#transport.close(close ?? codes.INTERNAL.close, code)
  }

  /** The handshake's timer (PROTOCOL §4); a session has its own. */
  tick(now: number): void {
    if (this.#state === 'challenged' && now >= this.#handshakeEndsAt) {
      this.refuse('PROTOCOL_ERROR', `no authenticate within ${handshakeSeconds} s`)
    }
  }

  /** The transport is gone. */
  lost(): void {
    this.#settleHandshake('closed')
    this.#inbox = []
    this.#session?.lost()
  }
}
