import { ProtocolError } from '../protocol/protocol-error.js'

/** This instance is at its bound of sessions. The client may try again, on this instance or another. */
export class NoSessionCapacity extends ProtocolError {
  constructor() {
    super('UNAVAILABLE', 'this instance has no capacity for another session')
  }
}

/**
 * Bounds the sessions of this instance, of all transports together. An authenticated handshake reserves a place before it
 * awaits the store: otherwise all handshakes in flight would pass the check while none is counted. Sockets without a
 * session count for other bounds: they must not displace authenticated peers.
 */
export class SessionCapacity {
  readonly #limit: number
  readonly #counted: { readonly size: number }[] = []
  #reserved = 0

  /** @param limit  sessions, at least 1 */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Counts the sessions of one transport too. Call it once for each. */
  count(sessions: { readonly size: number }): void {
    this.#counted.push(sessions)
  }

  /** Sessions that are served or being opened. Bridge sessions that other instances opened may exceed the limit. */
  get used(): number {
    return this.#counted.reduce((total, { size }) => total + size, this.#reserved)
  }

  get isFull(): boolean {
    return this.used >= this.#limit
  }

  get bound(): { readonly name: string; readonly used: number; readonly limit: number } {
    return { name: 'sessions', used: this.used, limit: this.#limit }
  }

  /** Reserves a place until {@link release}. @throws NoSessionCapacity */
  reserve(): void {
    if (this.isFull) throw new NoSessionCapacity()
    this.#reserved++
  }

  /** Call it once for each reserved place: in the turn that adds the session, or when the session could not be opened. */
  release(): void {
    this.#reserved--
  }
}
