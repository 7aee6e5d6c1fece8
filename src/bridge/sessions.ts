import type { Capabilities } from '../auth/capabilities.js'
import type { Authenticated } from '../auth/handshake.js'
import type { EndingCode } from '../protocol/codes.js'
import type { SessionKeys } from '../protocol/handshake.js'
import type { Attributes } from '../protocol/messages.js'
import { CannotUnseal } from '../registry/keyring.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { revalidateSession } from '../session/revalidation.js'
import type { SessionRegistry } from '../session/session-registry.js'
import type { SessionSource } from '../session/session-source.js'
import type { SessionEntry } from '../store/store.js'
import type { BridgeEnding } from './ending.js'
import { MessageProcessor } from './message-processor.js'
import { BridgeSession } from './session.js'
import { type BridgeSettings, beatEveryMs, beatLifeMs, drainQuietMs, endedKeptMs, recheckSpreadMs } from './settings.js'

/** The bridge's sessions that this instance has served lately; the store has them all (PROTOCOL §9.1). */

/** A session's `info` in the store. */
interface StoredInfo extends Capabilities {
  readonly clientId: string
  readonly keyId: string
  readonly attributes: Attributes
  readonly remoteAddress: string
  readonly openedAt: number
  readonly expiresAt: number
  /** Its keys, sealed under the master key. */
  readonly sealed: string
}

export interface KnownSession {
  readonly session: BridgeSession
  readonly worker: MessageProcessor
}

/** A session that nobody has asked for here for so many heartbeat time-outs is forgotten here. */
const idleTimeouts = 2

export type BridgeSessions = ReturnType<typeof createBridgeSessions>

export function createBridgeSessions(
  dependencies: SessionDependencies,
  settings: BridgeSettings,
  sessionRegistry: SessionRegistry
) {
  const { store, registry, now, observer, log } = dependencies
  const { instanceId } = dependencies.settings
  const known = new Map<string, KnownSession>()
  const byClient = new Map<string, Set<BridgeSession>>()
  const loading = new Map<string, Promise<KnownSession | undefined>>()
  /** Ends of which the store is being told. */
  const endings = new Set<Promise<void>>()
  let beatAt = 0
  let isDraining = false
  let servedAt = 0

  function deadlineOf(session: BridgeSession): number {
    const seenAt = session.serving === 0 ? session.lastSeenAt : now()
    return seenAt + settings.heartbeatTimeoutSeconds * 1000
  }

  function* servedSince(since: number): Iterable<BridgeSession> {
    for (const { session } of known.values()) {
      if (session.ending === undefined && (session.serving > 0 || session.lastSeenAt >= since)) yield session
    }
  }

  function keep(session: BridgeSession): KnownSession {
    const { sessionId, clientId } = session.peer
    const kept = { session, worker: new MessageProcessor(dependencies, session) }
    known.set(sessionId, kept)
    byClient.set(clientId, (byClient.get(clientId) ?? new Set()).add(session))
    return kept
  }

  function forget({ session }: KnownSession): void {
    const { sessionId, clientId } = session.peer
    known.delete(sessionId)
    const siblings = byClient.get(clientId)
    siblings?.delete(session)
    if (siblings?.size === 0) byClient.delete(clientId)
  }

  /** What changed while nobody here knew it was told to others. One that could not be judged is not served. */
  async function judge(kept: KnownSession): Promise<void> {
    try {
      await revalidateSession(dependencies, kept.session)
    } catch (error) {
      forget(kept)
      throw error
    }
  }

  /** Ends a session in the store: first its seats, so that whoever finds it there still releases them. */
  async function endInStore(sessionId: string, ending: BridgeEnding): Promise<string | undefined> {
    await store.licenseSlots.releaseAll(sessionId)
    const counted = await store.bridge.end(sessionId, ending, endedKeptMs)
    if (await store.sessions.end(sessionId)) observer.ended('bridge', ending)
    return counted
  }

  /** What the store does not hear now, the reaper tells it later. */
  function onEnd(session: BridgeSession, ending: BridgeEnding): void {
    session.log.info({ ending }, 'session ended')
    const told = endInStore(session.peer.sessionId, ending)
      .then(() => {})
      .catch((error: unknown) => session.log.warn({ err: error }, 'the store was not told of an end'))
      .finally(() => endings.delete(told))
    endings.add(told)
  }

  function entryOf(session: BridgeSession): SessionEntry {
    const { sessionId, clientId, keyId, remoteAddress, attributes } = session.peer
    const { openedAt, expiresAt } = session
    return {
      ...{ sessionId, clientId, keyId, remoteAddress, attributes, instanceId, openedAt, expiresAt },
      transport: 'bridge',
      deadline: deadlineOf(session)
    }
  }

  /**
   * Opens a session.
   * @returns the session and where its own channels stand; nothing where its client has too many
   * @throws StoreUnavailable
   */
  async function open({ peer, keys, expiresAt }: Authenticated, own: readonly string[]) {
    const session = new BridgeSession(
      dependencies,
      { peer, keys, openedAt: now(), expiresAt, lastSeenAt: now() },
      onEnd
    )
    const { sessionId, clientId, keyId, capabilities, attributes, remoteAddress } = peer
    if (!(await store.sessions.open(entryOf(session), dependencies.settings.maxSessionsPerClient))) return undefined
    const tops = await dependencies.channels.tops(own)
    const positions = new Map(own.flatMap((channel, i) => (tops[i] === undefined ? [] : [[channel, tops[i]]])))
    const info: StoredInfo = {
      ...{ clientId, keyId, ...capabilities, attributes, remoteAddress, expiresAt, openedAt: session.openedAt },
      sealed: registry.sealSessionKeys(sessionId, keys)
    }
    const challengeAt = now() + dependencies.settings.freshChallengeMs
    await store.bridge.open({ sessionId, info: JSON.stringify(info), positions, challengeAt })
    const kept = keep(session)
    for (const channel of own) dependencies.presence.joined(peer, channel)
    observer.opened('bridge')
    await judge(kept)
    return { session, positions }
  }

  async function load(sessionId: string): Promise<KnownSession | undefined> {
    const stored = await store.bridge.info(sessionId)
    if (stored === undefined) return undefined
    const { clientId, keyId, attributes, remoteAddress, openedAt, expiresAt, sealed, ...capabilities }: StoredInfo =
      JSON.parse(stored.info)
    let keys: SessionKeys
    try {
      keys = registry.openSessionKeys(sessionId, sealed)
    } catch (error) {
      if (!(error instanceof CannotUnseal)) throw error
      log.warn({ sessionId, clientId }, 'a session of the bridge was sealed under another master key')
      return undefined
    }
    const peer = { sessionId, clientId, keyId, capabilities, attributes, remoteAddress }
    // That somebody asks for it is no sign of life yet (PROTOCOL §5.2).
    const session = new BridgeSession(dependencies, { peer, keys, openedAt, expiresAt, lastSeenAt: 0 }, onEnd)
    session.ending = stored.ended
    const kept = keep(session)
    if (session.ending === undefined) await judge(kept)
    return kept
  }

  /** The session, wherever it was served before. @throws StoreUnavailable */
  async function find(sessionId: string): Promise<KnownSession | undefined> {
    const here = known.get(sessionId)
    if (here !== undefined) return here
    const pending =
      loading.get(sessionId) ??
      load(sessionId).finally(() => {
        loading.delete(sessionId)
      })
    loading.set(sessionId, pending)
    return pending
  }

  const stopListening = store.bridge.listen(instanceId, {
    notification(sessionId, word) {
      const session = known.get(sessionId)?.session
      if (session === undefined) return
      if (word === 'claims') session.lookAgain()
      else if (word === 'ended') {
        store.bridge
          .info(sessionId)
          .then(stored => session.over(stored?.ended ?? 'SESSION_NOT_FOUND'))
          .catch((error: unknown) => session.log.warn({ err: error }, 'a session has ended, but not how'))
      } else session.wake(word)
    },
    // Whoever holds here looks for itself, not all at one moment.
    mayHaveMissed() {
      for (const { session } of known.values()) {
        session.lookAgain()
        if (session.held !== undefined)
          setTimeout(() => session.wake('channels'), Math.random() * recheckSpreadMs).unref()
      }
    }
  })

  const source: SessionSource = {
    transport: 'bridge',
    ofClient: clientId => byClient.get(clientId) ?? [],
    clientIds: () => byClient.keys(),
    revoke(sessionId) {
      const here = known.get(sessionId)
      if (here !== undefined) here.session.end('SESSION_REVOKED')
      else {
        endInStore(sessionId, 'SESSION_REVOKED').catch((error: unknown) =>
          log.warn({ err: error, sessionId }, 'a session could not be revoked')
        )
      }
      return here !== undefined
    },
    *heartbeatsSince(since) {
      for (const session of servedSince(since)) {
        yield { sessionId: session.peer.sessionId, deadline: deadlineOf(session) }
      }
    },
    *presenceSince(since) {
      for (const session of servedSince(since)) {
        const { sessionId, clientId } = session.peer
        const deadline = deadlineOf(session)
        for (const channel of session.channels) yield { channel, sessionId, clientId, deadline }
      }
    },
    async expire(entry) {
      const { sessionId, clientId } = entry
      const session = known.get(sessionId)?.session
      if (session !== undefined && session.ending === undefined && deadlineOf(session) > now()) {
        // It is served here: the store was away, and has not heard of it.
        await store.sessions.touch([{ sessionId, deadline: deadlineOf(session) }])
        return false
      }
      const ending: EndingCode = 'HEARTBEAT_LOST'
      await endInStore(sessionId, ending)
      session?.over(ending)
      log.info({ sessionId, clientId, ending }, 'session ended')
      return false
    },
    // A session that the store lost is gone: nothing of it can be restored from here.
    async reregister() {},
    async tick(at) {
      for (const kept of known.values()) {
        const { session, worker } = kept
        if (session.ending === undefined && at >= session.expiresAt) session.end('SESSION_EXPIRED')
        const isServed = session.inFlight > 0 || !worker.isIdle || loading.has(session.peer.sessionId)
        const idleMs = at - session.lastSeenAt
        const isOld = idleMs > idleTimeouts * settings.heartbeatTimeoutSeconds * 1000
        if (!isServed && (isOld || session.ending !== undefined)) forget(kept)
      }
      if (at - beatAt < beatEveryMs) return
      beatAt = at
      await store.bridge.heartbeat(instanceId, beatLifeMs)
    }
  }
  sessionRegistry.addSource(source)

  return {
    open,
    find,
    /** The session, where this instance has served it lately. */
    known: (sessionId: string): KnownSession | undefined => (loading.has(sessionId) ? undefined : known.get(sessionId)),
    get size(): number {
      return known.size
    },
    /** Polls that are held here. */
    get held(): number {
      let count = 0
      for (const { session } of known.values()) if (session.held?.isWaiting === true) count++
      return count
    },
    get isDraining(): boolean {
      return isDraining
    },
    /** Notes that somebody still comes here. */
    noteServed(): void {
      servedAt = performance.now()
    },
    /** Answers held polls at once; those that come are held for a moment only. */
    begin(): void {
      isDraining = true
      for (const { session } of known.values()) session.wake('draining')
    },
    isQuiet: () => performance.now() - servedAt > drainQuietMs,
    async stop(): Promise<void> {
      stopListening()
      await Promise.all(endings)
    }
  }
}
