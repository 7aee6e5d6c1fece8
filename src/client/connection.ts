import { closeNormal } from '../protocol/codes.js'
import { defaultLimits } from '../protocol/limits.js'
import { type Encoded, limitsOf, type RequestLimits } from './encode.js'
import type { Welcome } from './options.js'
import type { ServedCalls } from './served-calls.js'
import type { ClientSession } from './session.js'
import type { ClientSocket } from './socket.js'

/** A socket with its session. */
export class Connection {
  readonly session: ClientSession
  readonly #socket: ClientSocket
  readonly #onSent: (frame: string) => void
  #isOver = false
  /** The welcome of its session. */
  welcome: Welcome | undefined
  /** The limits of its session. */
  limits: RequestLimits = defaultLimits
  /** Answers the calls that its session receives. */
  served: ServedCalls | undefined
  /** Set once `bye` was sent. */
  byeSeq: number | undefined

  /** @param onSent  called with each frame after it was sent */
  constructor(session: ClientSession, socket: ClientSocket, onSent: (frame: string) => void) {
    this.session = session
    this.#socket = socket
    this.#onSent = onSent
  }

  /** Whether the connection has ended. Its owner then ignores its frames and events. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether its session can still send. */
  get isUsable(): boolean {
    return !this.#isOver && this.byeSeq === undefined
  }

  /** Whether its session has unanswered calls. */
  get isBusy(): boolean {
    return this.isUsable && this.served?.isBusy === true
  }

  open(welcome: Welcome, served: ServedCalls): void {
    this.welcome = welcome
    this.limits = limitsOf(welcome.limits, defaultLimits)
    this.served = served
  }

  /** Signs and sends a message. @returns its `seq` */
  send(message: { readonly type: string; readonly [member: string]: unknown }): number {
    return this.#send(this.session.sign(message))
  }

  /** Signs and sends a request. @returns its `seq`. @throws RequestError if its size exceeds a limit of the gateway */
  sendRequest(encoded: Encoded): number {
    return this.#send(this.session.signRequest(encoded, this.limits))
  }

  #send({ seq, frame }: { seq: number; frame: string }): number {
    this.sendFrame(frame)
    return seq
  }

  sendFrame(frame: string): void {
    this.#socket.send(frame)
    this.#onSent(frame)
  }

  /** Closes the socket. */
  end(closeCode?: number): void {
    if (this.#isOver) return
    this.#isOver = true
    this.served?.end()
    this.#socket.close(closeCode)
  }

  /** Sends `bye`. Its answer ends the session. */
  sendBye(): void {
    if (!this.#isOver && this.byeSeq === undefined) this.byeSeq = this.send({ type: 'bye' })
  }

  /** Sends `bye`, then closes the socket. */
  endWithBye(): void {
    this.sendBye()
    this.end(closeNormal)
  }
}
