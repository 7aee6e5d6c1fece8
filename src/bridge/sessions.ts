import type { Authenticated } from '../auth/handshake.js'
import { InstanceAnnouncer } from '../cluster/instance-announcer.js'
import { CannotUnseal } from '../registry/aead.js'
import { writesPlain } from '../registry/schema-in-use.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { revalidateSession } from '../session/revalidation.js'
import { sessionEntryOf } from '../session/session-entry.js'
import { SessionIndex } from '../session/session-index.js'
import type { Heartbeat, SessionSource, TickTimes } from '../session/session-source.js'
import type { PresenceEntry } from '../store/presence.js'
import type { SessionEntry } from '../store/store.js'
import type { WakeReason } from './held-poll.js'
import { NotificationListener } from './notification-listener.js'
import { PolledCalls } from './polled-calls.js'
import type { Positions } from './positions.js'
import { registerSession } from './register-session.js'
import { BridgeSession, type BridgeSessionParams } from './session.js'
import { decodeRecord, isPlainSession, type SessionRecord } from './session-record.js'
import type { BridgeSettings } from './settings.js'
import { StoredEndings } from './stored-endings.js'

/** A session without an exchange on this instance for this number of heartbeat timeouts is forgotten here. */
const idleTimeouts = 2

/** Least `lastSeenAt` of a session that was active here; sessions that were only loaded have 0. */
const firstSeenAt = 1

export interface OpenedSession {
  readonly session: BridgeSession
  /** Positions in the channels that it joined from the start. */
  readonly positions: Positions
}

/**
 * Bridge sessions that this instance served recently. The store has all of them, so any instance can load any session
 * (PROTOCOL §9.1).
 */
export class BridgeSessions implements SessionSource {
  readonly transport = 'bridge'
  readonly #dependencies: SessionDependencies
  readonly #settings: BridgeSettings
  readonly #index = new SessionIndex<BridgeSession>()
  readonly #loading = new Map<string, Promise<BridgeSession | undefined>>()
  readonly #endings: StoredEndings
  readonly calls: PolledCalls
  readonly #stopListening: () => void
  /** Without a heartbeat, other instances take over the claims of this one. */
  readonly announcer: InstanceAnnouncer

  constructor(dependencies: SessionDependencies, settings: BridgeSettings) {
    const { store } = dependencies
    this.#dependencies = dependencies
    this.#settings = settings
    this.#endings = new StoredEndings(dependencies)
    this.announcer = new InstanceAnnouncer(dependencies)
    this.calls = new PolledCalls(dependencies, sessionId => this.find(sessionId))
    const listener = new NotificationListener(dependencies, this.#index)
    dependencies.sessionCapacity.count(this)
    this.#stopListening = store.bridge.listen(dependencies.settings.instanceId, listener)
  }

  get size(): number {
    return this.#index.size
  }

  /** Polls that are held by this instance. */
  get heldPolls(): number {
    let count = 0
    for (const session of this.#index.values()) if (session.hasWaitingPoll) count++
    return count
  }

  wakeHeldPolls(reason: WakeReason): void {
    for (const session of this.#index.values()) session.wakeHeldPoll(reason)
  }

  /**
   * Opens a session.
   * @param own channels that it joins from the start
   * @returns undefined when its client has too many sessions
   * @throws NoSessionCapacity, StoreUnavailable
   */
  async open(authenticated: Authenticated, own: readonly string[]): Promise<OpenedSession | undefined> {
    const { registry, presence, sessionCapacity, now, steadyNow } = this.#dependencies
    const openedAt = now()
    const times = { openedAt, lastSeenAt: steadyNow() }
    const session = this.#create({ ...authenticated, ...times, isPlain: writesPlain(registry.schema) })
    const created = { session, authenticated, openedAt, entry: this.#entryOf(session), ownChannels: own }
    sessionCapacity.reserve()
    let positions: Positions | undefined
    try {
      positions = await registerSession(this.#dependencies, created)
      if (positions === undefined) return undefined
      this.#index.add(session)
    } finally {
      sessionCapacity.release()
    }
    try {
      await this.#revalidate(session)
    } catch (error) {
      session.end('UNAVAILABLE')
      throw error
    }
    if (session.ending === undefined) for (const channel of own) presence.joined(session.peer, channel)
    return { session, positions }
  }

  /** The session, if this instance served it recently. */
  known(sessionId: string): BridgeSession | undefined {
    return this.#loading.has(sessionId) ? undefined : this.#index.get(sessionId)
  }

  /** The session, whichever instance served it before. @throws StoreUnavailable */
  find(sessionId: string): Promise<BridgeSession | undefined> {
    const loading = this.#loading.get(sessionId)
    if (loading !== undefined) return loading
    const known = this.#index.get(sessionId)
    if (known !== undefined) return Promise.resolve(known)
    const load = this.#load(sessionId).finally(() => this.#loading.delete(sessionId))
    this.#loading.set(sessionId, load)
    return load
  }

  async #load(sessionId: string): Promise<BridgeSession | undefined> {
    const stored = await this.#dependencies.store.bridge.info(sessionId)
    const record = stored === undefined ? undefined : this.#unseal(sessionId, stored.info)
    if (stored === undefined || record === undefined) return undefined
    // An unverified request does not count as activity of its session (PROTOCOL §5.2).
    const ending = stored.ended === undefined ? {} : { ending: stored.ended }
    const session = this.#create({ ...record, lastSeenAt: 0, isPlain: isPlainSession(stored.info), ...ending })
    this.#index.add(session)
    if (session.ending === undefined) await this.#revalidate(session)
    return session
  }

  #unseal(sessionId: string, text: string): SessionRecord | undefined {
    const { registry, log } = this.#dependencies
    try {
      return decodeRecord(registry, sessionId, text)
    } catch (error) {
      if (!(error instanceof CannotUnseal)) throw error
      log.warn(
        { sessionId },
        'a bridge session does not open: changed in the store, or sealed under a removed master key'
      )
      return undefined
    }
  }

  #create(params: Omit<BridgeSessionParams, 'calls'>): BridgeSession {
    return new BridgeSession(this.#dependencies, { ...params, calls: this.calls }, (session, ending) => {
      session.log.info({ ending }, 'session ended')
      this.#endings.endInBackground(session, ending)
    })
  }

  /** Re-checks permissions: changes made before this instance loaded the session never reached it. */
  async #revalidate(session: BridgeSession): Promise<void> {
    try {
      await revalidateSession(this.#dependencies, session)
    } catch (error) {
      this.#index.delete(session)
      throw error
    }
  }

  #entryOf(session: BridgeSession): SessionEntry {
    const { instanceId } = this.#dependencies.settings
    return sessionEntryOf(session, { instanceId, transport: this.transport, deadline: this.#deadlineOf(session) })
  }

  #deadlineOf({ activity }: BridgeSession): number {
    return activity.deadline(this.#dependencies.steadyNow(), this.#settings.heartbeatTimeoutSeconds * 1000)
  }

  ofClient(clientId: string): Iterable<BridgeSession> {
    return this.#index.ofClient(clientId)
  }

  clientIds(): Iterable<string> {
    return this.#index.clientIds()
  }

  revoke(sessionId: string): boolean {
    const session = this.#index.get(sessionId)
    if (session !== undefined) session.end('SESSION_REVOKED')
    else this.#endings.revokeInBackground(sessionId)
    return session !== undefined
  }

  /** A session is not active if all its messages are refused; its traffic is counted all the same. */
  *heartbeatsSince(since: number): Iterable<Heartbeat> {
    for (const session of this.#index.values()) {
      const { counter } = session.activity
      if (session.ending !== undefined || !(session.activity.isActiveSince(since) || counter.isPending)) continue
      yield {
        sessionId: session.peer.sessionId,
        deadline: this.#deadlineOf(session),
        counts: counter.consume(),
        counter
      }
    }
  }

  *presenceSince(since: number): Iterable<PresenceEntry> {
    for (const session of this.#index.values()) {
      if (session.ending !== undefined || !session.activity.isActiveSince(since)) continue
      const { sessionId, clientId } = session.peer
      const deadline = this.#deadlineOf(session)
      for (const channel of session.state.channels) yield { channel, sessionId, clientId, deadline }
    }
  }

  async expire({ sessionId, clientId }: SessionEntry): Promise<boolean> {
    const { log, steadyNow } = this.#dependencies
    const session = this.#index.get(sessionId)
    if (session !== undefined && session.ending === undefined && this.#deadlineOf(session) > steadyNow()) return true
    await this.#endings.end(sessionId, 'HEARTBEAT_LOST')
    session?.markEnded('HEARTBEAT_LOST')
    log.info({ sessionId, clientId, ending: 'HEARTBEAT_LOST' }, 'session ended')
    return false
  }

  /** Renews deadlines only: a bridge session lost by the store no longer exists. */
  async reregister(): Promise<void> {
    await this.#dependencies.store.sessions.touch([...this.heartbeatsSince(firstSeenAt)])
  }

  async tick({ now, steadyNow }: TickTimes): Promise<void> {
    for (const session of this.#index.values()) {
      if (session.ending === undefined && now >= session.expiresAt) session.end('SESSION_EXPIRED')
      if (this.#isForgettable(session, steadyNow)) this.#index.delete(session)
    }
    await this.announcer.tick(steadyNow)
  }

  #isForgettable({ ending, activity, processor, peer }: BridgeSession, steadyNow: number): boolean {
    if (activity.inFlight > 0 || !processor.isIdle || this.#loading.has(peer.sessionId)) return false
    // Its counts have yet to be written.
    if (ending === undefined && activity.counter.isPending) return false
    const idleMs = steadyNow - activity.lastSeenAt
    return ending !== undefined || idleMs > idleTimeouts * this.#settings.heartbeatTimeoutSeconds * 1000
  }

  /** Stops listening, and resolves when the store has confirmed every end. */
  async stop(): Promise<void> {
    this.#stopListening()
    await this.#endings.settled()
  }
}
