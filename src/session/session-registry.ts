import type { PresenceEntry } from '../store/presence.js'
import type { SessionEntry } from '../store/store.js'
import type { Heartbeat, LiveSession, SessionSource } from './session-source.js'

/** All sessions that this instance serves, of any transport. Each transport adds itself as one source. */
export class SessionRegistry {
  readonly #sources = new Map<SessionEntry['transport'], SessionSource>()

  /** Adds the sessions of one transport. @throws Error when the transport already has a source */
  addSource(source: SessionSource): void {
    if (this.#sources.has(source.transport)) throw new Error(`transport ${source.transport} already has a source`)
    this.#sources.set(source.transport, source)
  }

  get sources(): Iterable<SessionSource> {
    return this.#sources.values()
  }

  /** The source that owns sessions of this transport. */
  sourceOf(transport: SessionEntry['transport']): SessionSource | undefined {
    return this.#sources.get(transport)
  }

  /** Sessions of a client now, on all transports. */
  ofClient(clientId: string): readonly LiveSession[] {
    return [...this.#sources.values()].flatMap(source => [...source.ofClient(clientId)])
  }

  /** Clients that have a session here now. */
  clientIds(): ReadonlySet<string> {
    return new Set([...this.#sources.values()].flatMap(source => [...source.clientIds()]))
  }

  /** Ends a session that an operator revoked. */
  revoke(sessionId: string): void {
    for (const source of this.#sources.values()) if (source.revoke(sessionId)) return
  }

  /** @param since  Unix milliseconds */
  *heartbeatsSince(since: number): Iterable<Heartbeat> {
    for (const source of this.#sources.values()) yield* source.heartbeatsSince(since)
  }

  /** @param since  Unix milliseconds */
  *presenceSince(since: number): Iterable<PresenceEntry> {
    for (const source of this.#sources.values()) yield* source.presenceSince(since)
  }

  /** @throws StoreUnavailable */
  async reregister(): Promise<void> {
    for (const source of this.#sources.values()) await source.reregister()
  }
}
