import type { Peer } from '../auth/peer.js'

/** Sessions by their id and by their client. */
export class SessionIndex<S extends { readonly peer: Pick<Peer, 'sessionId' | 'clientId'> }> {
  readonly #byId = new Map<string, S>()
  readonly #byClient = new Map<string, Set<S>>()

  get size(): number {
    return this.#byId.size
  }

  add(session: S): void {
    const { sessionId, clientId } = session.peer
    this.#byId.set(sessionId, session)
    const siblings = this.#byClient.get(clientId)
    if (siblings === undefined) this.#byClient.set(clientId, new Set([session]))
    else siblings.add(session)
  }

  /** Removes a session. Has no effect if another session has its id, or if it is not in the index. */
  delete(session: S): void {
    const { sessionId, clientId } = session.peer
    if (this.#byId.get(sessionId) === session) this.#byId.delete(sessionId)
    const siblings = this.#byClient.get(clientId)
    siblings?.delete(session)
    if (siblings?.size === 0) this.#byClient.delete(clientId)
  }

  get(sessionId: string): S | undefined {
    return this.#byId.get(sessionId)
  }

  has(sessionId: string): boolean {
    return this.#byId.has(sessionId)
  }

  /** The sessions of one client; a live view. */
  ofClient(clientId: string): Iterable<S> {
    return this.#byClient.get(clientId) ?? []
  }

  clientIds(): Iterable<string> {
    return this.#byClient.keys()
  }

  values(): Iterable<S> {
    return this.#byId.values()
  }
}
