import type { CallReceivers, Delivered } from '../calls/carrier.js'
import type { IncomingCall } from '../calls/mailbox.js'
import type { PresenceEntry } from '../store/presence.js'
import type { SessionEntry } from '../store/store.js'
import { reportBackgroundFailure } from './background-failure.js'
import type { SessionDependencies } from './dependencies.js'
import { presenceLifeMs } from './presence.js'
import type { Session } from './session.js'
import { sessionEntryOf } from './session-entry.js'
import { SessionIndex } from './session-index.js'
import type { Heartbeat, SessionSource, TickTimes } from './session-source.js'

/**
 * Milliseconds between a session's heartbeat timeout and its deadline in the store. Its own instance ends it within
 * that time; other instances reap it only if that instance is lost.
 */
export const reapGraceMs = 10_000
/** Sessions that are registered again concurrently after a store outage. */
const reregisterBatch = 200

/** Sessions that end with their connection: they live on this instance, and the store holds an entry for each. */
export class ConnectedSessions implements SessionSource, CallReceivers {
  readonly transport = 'ws'
  readonly #dependencies: SessionDependencies
  readonly #index = new SessionIndex<Session>()
  /** Ends not yet confirmed by the store. */
  readonly #endings = new Set<Promise<void>>()

  constructor(dependencies: SessionDependencies) {
    this.#dependencies = dependencies
    dependencies.sessionCapacity.count(this)
  }

  get size(): number {
    return this.#index.size
  }

  values(): Iterable<Session> {
    return this.#index.values()
  }

  /**
   * Registers a new session.
   * @returns false when its client has too many sessions: the session is then not registered
   * @throws NoSessionCapacity, StoreUnavailable
   */
  async add(session: Session): Promise<boolean> {
    const { sessionCapacity } = this.#dependencies
    sessionCapacity.reserve()
    try {
      return await this.#register(session)
    } finally {
      sessionCapacity.release()
    }
  }

  async #register(session: Session): Promise<boolean> {
    const { store, settings, observer } = this.#dependencies
    if (!(await store.sessions.open(this.#entryOf(session), settings.maxSessionsPerClient))) return false
    if (session.ended) {
      // The connection closed during the store's call.
      await this.#unregister(session)
      return true
    }
    this.#index.add(session)
    observer.opened(this.transport)
    return true
  }

  /** Unregisters a session that has ended. If the store does not answer, the reaper does it later. */
  remove(session: Session): void {
    const ending = this.#unregister(session)
      .catch((error: unknown) => {
        const failed = 'could not unregister an ended session'
        reportBackgroundFailure(this.#dependencies, 'session ends', error, session.log, failed)
      })
      .finally(() => this.#endings.delete(ending))
    this.#endings.add(ending)
  }

  async #unregister(session: Session): Promise<void> {
    this.#index.delete(session)
    // Slots first: if this is interrupted, the entry stays, and the reaper releases them.
    await session.context.releaseLicenseSlots()
    await this.#dependencies.store.sessions.end(session.peer.sessionId)
  }

  /** Resolves when the store has confirmed every end. */
  async settled(): Promise<void> {
    await Promise.all(this.#endings)
  }

  #entryOf(session: Session): SessionEntry {
    const { instanceId } = this.#dependencies.settings
    return sessionEntryOf(session, { instanceId, transport: this.transport, deadline: this.#deadlineOf(session) })
  }

  #deadlineOf({ lastSeenAt }: Session): number {
    return lastSeenAt + this.#dependencies.settings.heartbeatTimeoutSeconds * 1000 + reapGraceMs
  }

  deliver(call: IncomingCall): Delivered {
    return this.#index.get(call.sessionId)?.context.calls.receive(call) ?? 'missing'
  }

  ofClient(clientId: string): Iterable<Session> {
    return this.#index.ofClient(clientId)
  }

  clientIds(): Iterable<string> {
    return this.#index.clientIds()
  }

  revoke(sessionId: string): boolean {
    const session = this.#index.get(sessionId)
    session?.end('SESSION_REVOKED')
    return session !== undefined
  }

  *heartbeatsSince(since: number): Iterable<Heartbeat> {
    for (const session of this.#index.values()) {
      if (session.lastSeenAt < since) continue
      const { counter } = session.intake
      yield {
        sessionId: session.peer.sessionId,
        deadline: this.#deadlineOf(session),
        counts: counter.consume(),
        counter
      }
    }
  }

  *presenceSince(): Iterable<PresenceEntry> {
    const { steadyNow, settings } = this.#dependencies
    const deadline = steadyNow() + presenceLifeMs(settings.heartbeatTimeoutSeconds)
    for (const { peer, channels } of this.#index.values()) {
      const { sessionId, clientId } = peer
      for (const channel of channels) yield { channel, sessionId, clientId, deadline }
    }
  }

  async expire({ sessionId, clientId, instanceId, transport }: SessionEntry): Promise<boolean> {
    if (this.#index.has(sessionId)) return true
    const { store, log, observer, settings } = this.#dependencies
    // A live instance expires its own sessions: only it receives from their peers.
    if (instanceId !== settings.instanceId && (await store.bridge.isAlive(instanceId))) return false
    await store.licenseSlots.releaseAll(sessionId)
    if (await store.sessions.end(sessionId)) {
      log.info({ sessionId, clientId, instanceId }, 'reaped a session of a lost instance')
      observer.ended(transport, 'HEARTBEAT_LOST')
    }
    return false
  }

  async reregister(): Promise<void> {
    const { sessions } = this.#dependencies.store
    const all = [...this.#index.values()]
    for (let i = 0; i < all.length; i += reregisterBatch) {
      const batch = all.slice(i, i + reregisterBatch).filter(session => !session.ended)
      await Promise.all(batch.map(session => sessions.open(this.#entryOf(session), Number.MAX_SAFE_INTEGER)))
    }
  }

  tick(times: TickTimes): void {
    for (const session of this.#index.values()) session.tick(times)
  }
}
