import { keyOf, revalidate } from '../auth/authorization.js'
import { presenceLifeMs } from '../cluster/presence.js'
import { isTicketId } from '../registry/tickets.js'
import type { ChangeEvent } from '../store/change-event.js'
import type { PresenceEntry } from '../store/presence.js'
import type { AuditHead, SessionEntry } from '../store/store.js'
import type { SessionDependencies } from './dependencies.js'
import type { Session } from './session.js'
import type { LiveSession, SessionSource } from './session-source.js'

/**
 * The sessions of this instance: told to the store in batches, held against the registry when something changed, and
 * ended when their time has come. `tick` is to be called about once a second; nothing here has a timer of its own.
 */

/** Added to a session's deadline in the store: its own instance is to find it dead first, others only if that is gone. */
export const reapGraceMs = 10_000
/** How long an instance has to end an overdue session before another may. */
const reapLeaseMs = 10_000
/** Overdue sessions of others that one tick ends. */
const reapBatch = 500
/** Changes of rights that one look reads. */
const topicBatch = 500
/** Sessions told to the store anew at one time, after it was away. */
const reopenBatch = 200

export type Hub = ReturnType<typeof createHub>

export function createHub(dependencies: SessionDependencies) {
  const { store, registry, settings, presence, log, now, observer } = dependencies
  const sessions = new Map<string, Session>()
  const byClient = new Map<string, Set<Session>>()
  /** Ends of which the store is being told. */
  const endings = new Set<Promise<void>>()
  let guests: SessionSource | undefined
  let toldAt = now()
  let storeWasAway = false
  let topicSeq = 0
  /** The audit log's head at the last look. */
  let seen: AuditHead | undefined
  let looking: Promise<void> | undefined

  function entryOf(session: Session): SessionEntry {
    const { sessionId, clientId, keyId, remoteAddress, attributes } = session.peer
    return {
      ...{ sessionId, clientId, keyId, remoteAddress, attributes },
      instanceId: settings.instanceId,
      transport: 'ws',
      openedAt: session.openedAt,
      expiresAt: session.expiresAt,
      deadline: deadlineOf(session)
    }
  }

  function deadlineOf(session: Session): number {
    return session.lastSeenAt + settings.heartbeatTimeoutSeconds * 1000 + reapGraceMs
  }

  /**
   * Keeps a new session.
   * @returns false where its client has too many; the session is then not kept
   * @throws StoreUnavailable
   */
  async function add(session: Session): Promise<boolean> {
    if (!(await store.sessions.open(entryOf(session), settings.maxSessionsPerClient))) return false
    if (session.ended) {
      // Its socket closed while the store was asked.
      await forget(session)
      return true
    }
    sessions.set(session.peer.sessionId, session)
    const siblings = byClient.get(session.peer.clientId) ?? new Set()
    byClient.set(session.peer.clientId, siblings.add(session))
    observer.opened(session.transportName)
    return true
  }

  async function forget(session: Session): Promise<void> {
    const { sessionId, clientId } = session.peer
    sessions.delete(sessionId)
    const siblings = byClient.get(clientId)
    siblings?.delete(session)
    if (siblings?.size === 0) byClient.delete(clientId)
    // Seats first: where this is cut short the session is still known, and whoever reaps it releases them.
    if (session.seats.size > 0) await store.licenseSlots.releaseAll(sessionId)
    await store.sessions.end(sessionId)
  }

  /** To be called when a session has ended. What the store does not hear now, the reaper tells it later. */
  function remove(session: Session): void {
    const ending = forget(session)
      .catch((error: unknown) => session.log.warn({ err: error }, 'the store was not told of an end'))
      .finally(() => endings.delete(ending))
    endings.add(ending)
  }

  /** Signs of life since the last tick, in one write. */
  async function tellStore(): Promise<void> {
    const since = toldAt
    toldAt = now()
    const alive = [...sessions.values()].filter(session => session.lastSeenAt >= since)
    try {
      await store.sessions.touch([
        ...alive.map(session => ({ sessionId: session.peer.sessionId, deadline: deadlineOf(session) })),
        ...(guests?.signsOfLife(since) ?? [])
      ])
      if (storeWasAway) await reopenAll()
      storeWasAway = false
    } catch (error) {
      toldAt = since
      if (!storeWasAway) log.warn({ err: error }, 'the store does not take signs of life')
      storeWasAway = true
    }
  }

  /** After the store was away it may have lost sessions, or another instance may have ended them as dead. */
  async function reopenAll(): Promise<void> {
    const all = [...sessions.values()]
    for (let i = 0; i < all.length; i += reopenBatch) {
      const batch = all.slice(i, i + reopenBatch).filter(session => !session.ended)
      await Promise.all(batch.map(session => store.sessions.open(entryOf(session), Number.MAX_SAFE_INTEGER)))
    }
  }

  /** Ends what instances that are gone have left behind. */
  async function reap(): Promise<void> {
    const overdue = await store.sessions.reap(now(), reapBatch, reapLeaseMs)
    // A session that lives here is only overdue because the store was away: it is told of it anew.
    if (overdue.some(({ sessionId }) => sessions.has(sessionId))) storeWasAway = true
    const dead = overdue.filter(({ sessionId }) => !sessions.has(sessionId))
    await Promise.all(
      dead.map(async entry => {
        const { sessionId, clientId, instanceId, transport } = entry
        if (transport === 'bridge' && guests !== undefined) {
          await guests.bury(entry)
          return
        }
        await store.licenseSlots.releaseAll(sessionId)
        if (!(await store.sessions.end(sessionId))) return
        log.info({ sessionId, clientId, instanceId }, 'ended a dead session')
        observer.ended(transport, 'HEARTBEAT_LOST')
      })
    )
  }

  /**
   * Holds sessions of one client against what the registry says now.
   * @param clientChanged  the client's own record was changed: where there is none it was deleted, and tickets go with it
   * @throws StoreUnavailable
   */
  async function recheck(clientId: string, live: Iterable<LiveSession>, clientChanged: boolean): Promise<void> {
    const client = await registry.clients.get(clientId)
    for (const session of live) {
      const { keyId } = session.peer
      const key = isTicketId(keyId) ? await registry.tickets.get(clientId, keyId) : keyOf(client, keyId)
      const gone = client === undefined && (clientChanged || !isTicketId(keyId))
      const ending = gone || client?.status === 'suspended' ? 'SESSION_REVOKED' : revalidate(key, session, now())
      if (ending !== undefined) session.end(ending)
    }
  }

  function liveOf(clientId: string): LiveSession[] {
    return [...(byClient.get(clientId) ?? []), ...(guests?.ofClient(clientId) ?? [])]
  }

  /** Whether an entry that was the log's head is in it, at its place. */
  async function isStillThere({ seq, hash }: AuditHead): Promise<boolean> {
    if (seq === 0) return true
    const [entry] = await store.durable.auditAfter(seq - 1, 1)
    return entry?.text.includes(hash) === true
  }

  async function applyChange({ kind, id }: ChangeEvent): Promise<void> {
    if (kind === 'session') {
      const session = sessions.get(id)
      if (session === undefined) guests?.revoke(id)
      else session.end('SESSION_REVOKED')
      return
    }
    const live = liveOf(id)
    if (live.length > 0) await recheck(id, live, kind === 'client')
  }

  /** Reads which clients were changed since the last look. Right also where the signal of a change was lost. */
  async function lookAtChanges(): Promise<void> {
    const head = await store.durable.auditHead()
    if (seen === undefined) topicSeq = head.seq
    else if (!(await isStillThere(seen))) {
      // The store was rewound: numbers come a second time, and changes may hide below those seen. All are looked at.
      log.warn({ seen: seen.seq, head: head.seq }, 'the store was rewound')
      // It may have forgotten sessions that live here: it is told of them anew.
      storeWasAway = true
      const clients = new Set([...byClient.keys(), ...(guests?.clients() ?? [])])
      for (const clientId of clients) await recheck(clientId, liveOf(clientId), false)
      topicSeq = head.seq
    }
    seen = head
    for (;;) {
      const changes = await store.durable.changesAfter(topicSeq, topicBatch)
      for (const { event, seq } of changes) {
        if (event !== undefined) await applyChange(event)
        topicSeq = seq
      }
      if (changes.length < topicBatch) return
    }
  }

  /** One look at a time; a hint that comes during one brings another after it. */
  let lookAgain = false
  function look(): Promise<void> {
    lookAgain = looking !== undefined
    looking ??= (async () => {
      do {
        lookAgain = false
        await lookAtChanges()
      } while (lookAgain)
    })().finally(() => {
      looking = undefined
    })
    return looking
  }

  let storeWork: Promise<void> | undefined
  async function workWithStore(): Promise<void> {
    const results = await Promise.allSettled([tellStore(), reap(), look(), guests?.tick(now())])
    for (const result of results) {
      if (result.status === 'rejected') log.debug({ err: result.reason }, 'a tick could not reach the store')
    }
  }

  /** Who is in which channel on this instance. */
  function* present(since: number): Iterable<PresenceEntry> {
    const deadline = now() + presenceLifeMs
    for (const { peer, channels } of sessions.values()) {
      const { sessionId, clientId } = peer
      for (const channel of channels) yield { channel, sessionId, clientId, deadline }
    }
    if (guests !== undefined) yield* guests.present(since)
  }

  /** Apart from the rest: many channels take a while, and signs of life do not wait for it. */
  async function tellPresence(): Promise<void> {
    await presence
      .flush(present)
      .catch((error: unknown) => log.debug({ err: error }, 'the store was not told who is where'))
  }

  const stopListening = store.durable.onChange(() => {
    look().catch((error: unknown) => log.warn({ err: error }, 'could not read what changed'))
  })

  return {
    add,
    remove,
    /** Judges a new session once more: what changed while it was opened was told to a hub that did not know it. */
    recheck: (session: LiveSession) => recheck(session.peer.clientId, [session], false),
    get size(): number {
      return sessions.size
    },
    get(sessionId: string): Session | undefined {
      return sessions.get(sessionId)
    },
    /** Begins to follow changes of rights; to be awaited before the first handshake. @throws StoreUnavailable */
    start: look,
    /**
     * About once a second. What time does to sessions happens at once, also while the store is slow; the store's part
     * is one at a time, and its failures are logged and made up for later.
     */
    async tick(): Promise<void> {
      const at = now()
      for (const session of sessions.values()) session.tick(at)
      storeWork ??= workWithStore().finally(() => {
        storeWork = undefined
      })
      await Promise.all([storeWork, tellPresence()])
    },
    /** Takes in sessions that live in the store. */
    lodge(lodged: SessionSource): void {
      guests = lodged
    },
    /** Every session of this instance. */
    all: (): Iterable<Session> => sessions.values(),
    /** Stops listening, and waits until the store has heard of every end, or no longer than `withinMs`. */
    async stop(withinMs: number): Promise<void> {
      stopListening()
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>(resolve => {
        timer = setTimeout(resolve, withinMs)
      })
      // Once more, for what came while it was told.
      const told = tellPresence().then(tellPresence)
      await Promise.race([Promise.all([...endings, told]), late])
      clearTimeout(timer)
    }
  }
}
