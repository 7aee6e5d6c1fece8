import { Backoff, backoffMs, type FailureKind, wakeSpreadMs } from './backoff.js'
import { Causes } from './causes.js'
import { Connection } from './connection.js'
import { expiryOf, type GivenCredential, obtainCredential } from './credential.js'
import { reasonOf } from './errors.js'
import type { Attributes, ClientOptions, Platform } from './options.js'
import { ClientSession } from './session.js'
import type { Timers } from './timers.js'
import { handshakeMs, restartMs, stableSessionMs } from './timing.js'

/** Attempts to open a session: one at a time, each with a fresh credential. Schedules the next one. */

/** `renew`: the session ends soon; `move`: its instance stops. */
export type Purpose = 'open' | 'renew' | 'move'

export type AttemptOptions = Pick<ClientOptions, 'url' | 'credential'> & {
  readonly credentialTimeoutMs: number
  /** Attributes of the next handshake. */
  readonly attributes: () => Attributes | undefined
}

export interface AttemptsHost {
  /** The connection with the current session. */
  current(): Connection | undefined
  onFrame(connection: Connection, frame: Uint8Array): void
  onSent(frame: string): void
  /** The socket of a connection closed, or its handshake took too long. */
  onClosed(connection: Connection, reason: string): void
  /** A cause is reported for the first time since the last session. */
  onTrouble(reason: string, tries: number): void
}

/** A result of any other attempt than the current one is ignored. */
interface Attempt {
  purpose: Purpose
  connection?: Connection
}

export class Attempts {
  readonly #platform: Platform
  readonly #options: AttemptOptions
  readonly #timers: Timers
  readonly #run: (work: () => void) => void
  readonly #host: AttemptsHost
  readonly #backoff = new Backoff()
  readonly #causes = new Causes()
  #attempt: Attempt | undefined
  #cause: string | undefined
  /** The gateway announced that it stops. */
  #isRestart = false

  /** @param run  does the client's own work, then calls listeners */
  constructor(
    platform: Platform,
    options: AttemptOptions,
    timers: Timers,
    run: (work: () => void) => void,
    host: AttemptsHost
  ) {
    this.#platform = platform
    this.#options = options
    this.#timers = timers
    this.#run = run
    this.#host = host
  }

  /** Reason for the missing session. */
  get cause(): string {
    if (this.#cause !== undefined) return this.#cause
    return this.#attempt?.connection === undefined ? 'the credential has not arrived' : 'the handshake is not complete'
  }

  isOf(connection: Connection): boolean {
    return this.#attempt?.connection === connection
  }

  /** Opens a session, unless an attempt is in progress. */
  open(purpose: Purpose): void {
    this.#timers.clear('retry', 'wake', 'renew')
    if (this.#attempt !== undefined) {
      if (purpose === 'move') this.#attempt.purpose = 'move'
      return
    }
    const attempt: Attempt = { purpose }
    this.#attempt = attempt
    const { credential, credentialTimeoutMs } = this.#options
    obtainCredential(credential, credentialTimeoutMs, this.#platform).then(
      given => this.#run(() => this.#handshake(attempt, given)),
      (error: unknown) =>
        this.#run(() => {
          if (this.#attempt === attempt) this.failed('credential', reasonOf(error))
        })
    )
  }

  #handshake(attempt: Attempt, credential: GivenCredential): void {
    if (this.#attempt !== attempt) return
    const expiresAt = expiryOf(credential)
    const endsAt = this.#host.current()?.welcome?.expiresAt
    if (attempt.purpose === 'renew' && expiresAt !== undefined && endsAt !== undefined && expiresAt <= endsAt) {
      // A renewal would gain nothing: the session ends, and the client reconnects (PROTOCOL §4.5).
      this.drop()
      return
    }
    const { createMac, nonce, openSocket } = this.#platform
    try {
      const session = new ClientSession(createMac, credential, nonce(), this.#options.attributes())
      const socket = openSocket(this.#options.url, {
        onMessage: frame => this.#run(() => this.#host.onFrame(connection, frame)),
        onClose: reason => this.#run(() => this.#host.onClosed(connection, reason))
      })
      const connection = new Connection(session, socket, frame => this.#host.onSent(frame))
      attempt.connection = connection
      this.#timers.set('handshake', handshakeMs, () => this.#host.onClosed(connection, 'no welcome in time'))
    } catch (error) {
      this.failed('network', `could not connect: ${reasonOf(error)}`)
    }
  }

  /** Gives up the current attempt. */
  drop(): void {
    this.#attempt?.connection?.end()
    this.#attempt = undefined
    this.#timers.clear('handshake')
  }

  /** The attempt has failed: schedules the next one. */
  failed(kind: FailureKind, reason: string, hintedMs = 0): void {
    const purpose = this.#attempt?.purpose ?? 'open'
    this.drop()
    const { tries } = this.#retry(this.#host.current() === undefined ? kind : 'renewal', purpose, reason, hintedMs)
    if (this.#causes.isNew(reason)) this.#host.onTrouble(reason, tries)
  }

  /** The session was lost: schedules the next attempt, unless one is in progress. */
  sessionLost(reason: string, hintedMs: number): void {
    this.#timers.clear('stable', 'retry')
    if (this.#attempt === undefined) this.#retry('session', 'open', reason, hintedMs)
    else this.#cause = reason
  }

  #retry(kind: FailureKind, purpose: Purpose, reason: string, hintedMs: number): { tries: number } {
    this.#cause = reason
    const { tries, failures } = this.#backoff.fail(kind)
    const delayMs = backoffMs(failures, this.#platform.random(), hintedMs, this.#isRestart)
    this.#timers.set('retry', delayMs, () => this.open(this.#host.current() === undefined ? 'open' : purpose))
    return { tries }
  }

  /** @returns the purpose of the attempt */
  succeeded(): Purpose {
    const purpose = this.#attempt?.purpose ?? 'open'
    this.#attempt = undefined
    this.#timers.clear('handshake', 'retry', 'wake')
    return purpose
  }

  /** A new session has become the current one. */
  sessionOpened(): void {
    this.#cause = undefined
    this.#isRestart = false
    this.#timers.clear('restart')
    this.#backoff.opened()
    this.#causes.clear()
    this.#timers.set('stable', stableSessionMs, () => this.#backoff.settle())
  }

  /** An instance that announced its stop is often back within seconds. */
  expectRestart(): void {
    this.#isRestart = true
    this.#timers.set('restart', restartMs, () => {
      this.#isRestart = false
    })
  }

  /** The network or the page is back: tries soon, if there is no session. */
  wake(): void {
    if (this.#host.current() !== undefined || this.#timers.has('wake')) return
    // An attempt may hang in a network that is gone: it has half of the time to end.
    const share = this.#attempt === undefined ? 0 : 0.5
    this.#timers.set('wake', (share + this.#platform.random() * (1 - share)) * wakeSpreadMs, () => {
      this.drop()
      this.open('open')
    })
  }
}
