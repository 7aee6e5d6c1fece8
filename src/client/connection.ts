import { closeNormal } from '../protocol/codes.js'
import type { ClientSession } from './session.js'
import type { ClientSocket } from './socket.js'

/** The message of a caught value, for events. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A socket with the session that it opens. */
export class Connection {
  readonly session: ClientSession
  readonly #socket: ClientSocket
  readonly #onSent: (frame: string) => void
  #isOver = false

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

  /** Signs and sends a message. @returns its `seq` */
  send(message: { readonly type: string; readonly [member: string]: unknown }): number {
    const { seq, frame } = this.session.sign(message)
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
    this.#socket.close(closeCode)
  }

  /** Sends `bye`, then closes the socket. */
  endWithBye(): void {
    if (this.#isOver) return
    this.send({ type: 'bye' })
    this.end(closeNormal)
  }
}
