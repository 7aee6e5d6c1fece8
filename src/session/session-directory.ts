import type { SessionEntry, SessionStore } from '../store/ephemeral.js'
import { InstanceLiveness, type InstanceLivenessOptions } from './instance-liveness.js'
import { lastSeenOf } from './session-entry.js'

/** A live session as shown to others (PROTOCOL §15). Times are in Unix milliseconds. */
export interface ListedSession {
  readonly sessionId: string
  readonly clientId: string
  readonly transport: SessionEntry['transport']
  readonly openedAt: number
  /** At most 2 s old. A session with a held poll was seen just now. */
  readonly lastSeenAt: number
  readonly attributes: SessionEntry['attributes']
}

/** A live session with the instance that serves it, for use within the gateway. */
export interface FoundSession extends ListedSession {
  readonly instanceId: string
}

export interface SessionPage {
  /** In order of their ids. */
  readonly sessions: readonly ListedSession[]
  /** The `after` of the next page. Absent on the last one. */
  readonly next?: string
}

/**
 * The live sessions of all instances, by client. A session on a socket disappears at most 6 s after its instance died;
 * a bridge session lives on, because other instances serve it.
 */
export interface SessionDirectory {
  /** The answer may have ended within the last second, see {@link forget}. @throws StoreUnavailable */
  get(sessionId: string): Promise<FoundSession | undefined>
  /**
   * Sessions of a client, in order of their ids.
   * @param after  a session id; the list begins after it
   * @param limit  most sessions
   * @throws StoreUnavailable
   */
  list(clientId: string, after: string, limit: number): Promise<SessionPage>
  /**
   * The most recently seen session of a client, to within 2 s; undefined if it has none. The answer may have ended
   * within the last second: {@link forget} makes the next call read again.
   * @throws StoreUnavailable
   */
  mostRecentlySeen(clientId: string): Promise<FoundSession | undefined>
  forget(clientId: string): void
}

/** Time for which {@link SessionDirectory.get} and `mostRecentlySeen` cache an answer, in milliseconds. */
export const seenLifeMs = 1000
/** Cached answers, by session or client. Above, the oldest is forgotten. */
export const maxSeenClients = 10_000
/** Sessions of a client that are compared to find the most recently seen. */
export const maxSeenSessions = 10_000
/** Sessions per read of the store. */
const readItems = 1000

export interface SessionDirectoryOptions extends Omit<InstanceLivenessOptions, 'store' | 'now'> {
  readonly store: {
    readonly sessions: Pick<SessionStore, 'get' | 'list'>
    readonly bridge: InstanceLivenessOptions['store']
  }
  /** Time from the last sign of life to the deadline in the store, in milliseconds. */
  readonly timeoutMs: Readonly<Record<SessionEntry['transport'], number>>
  /** Unix milliseconds of the wall clock. */
  readonly now: () => number
  /** Unix milliseconds of the steady clock. */
  readonly steadyNow: () => number
}

interface Seen {
  readonly at: number
  readonly session: Promise<FoundSession | undefined>
}

export class StoredSessionDirectory implements SessionDirectory {
  readonly #options: SessionDirectoryOptions
  readonly #instances: InstanceLiveness
  /** Oldest answer first. */
  readonly #seen = new Map<string, Seen>()

  constructor(options: SessionDirectoryOptions) {
    const { store, instanceId, steadyNow } = options
    this.#options = options
    this.#instances = new InstanceLiveness({ store: store.bridge, instanceId, now: steadyNow })
  }

  get(sessionId: string): Promise<FoundSession | undefined> {
    return this.#cached(`session ${sessionId}`, () => this.#read(sessionId))
  }

  async #read(sessionId: string): Promise<FoundSession | undefined> {
    const entry = await this.#options.store.sessions.get(sessionId)
    return entry !== undefined && (await this.#isLive(entry)) ? this.#found(entry) : undefined
  }

  async list(clientId: string, after: string, limit: number): Promise<SessionPage> {
    const found: ListedSession[] = []
    // One more than the limit shows whether there is a next page.
    for await (const entry of this.#live(clientId, after, Math.min(limit + 1, readItems))) {
      if (found.length === limit) return { sessions: found, next: found.at(-1)?.sessionId ?? after }
      found.push(this.#listed(entry))
    }
    return { sessions: found }
  }

  mostRecentlySeen(clientId: string): Promise<FoundSession | undefined> {
    return this.#cached(clientId, () => this.#newest(clientId))
  }

  #cached(key: string, read: () => Promise<FoundSession | undefined>): Promise<FoundSession | undefined> {
    const { steadyNow } = this.#options
    const known = this.#seen.get(key)
    if (known !== undefined && steadyNow() - known.at < seenLifeMs) return known.session
    this.#seen.delete(key)
    const [oldest] = this.#seen.size >= maxSeenClients ? this.#seen.keys() : []
    if (oldest !== undefined) this.#seen.delete(oldest)
    const seen = { at: steadyNow(), session: read() }
    this.#seen.set(key, seen)
    const drop = () => {
      if (this.#seen.get(key) === seen) this.#seen.delete(key)
    }
    // Neither a failure nor an absence is cached: a session may open at any moment.
    seen.session.then(session => session === undefined && drop(), drop)
    return seen.session
  }

  forget(clientId: string): void {
    this.#seen.delete(clientId)
  }

  async #newest(clientId: string): Promise<FoundSession | undefined> {
    let newest: FoundSession | undefined
    let seen = 0
    for await (const entry of this.#live(clientId, '', readItems)) {
      const session = this.#found(entry)
      if (newest === undefined || session.lastSeenAt > newest.lastSeenAt) newest = session
      if (++seen === maxSeenSessions) break
    }
    return newest
  }

  /** The live sessions of a client after an id, in pages of the store. */
  async *#live(clientId: string, after: string, items: number): AsyncGenerator<SessionEntry> {
    let last = after
    for (;;) {
      const entries = await this.#options.store.sessions.list(last, items, clientId)
      for (const entry of entries) if (await this.#isLive(entry)) yield entry
      if (entries.length < items) return
      last = entries.at(-1)?.sessionId ?? last
    }
  }

  /** A ws session ends with its instance. */
  async #isLive({ deadline, transport, instanceId }: SessionEntry): Promise<boolean> {
    if (deadline <= this.#options.steadyNow()) return false
    return transport !== 'ws' || this.#instances.isAlive(instanceId)
  }

  #found(entry: SessionEntry): FoundSession {
    return { ...this.#listed(entry), instanceId: entry.instanceId }
  }

  #listed(entry: SessionEntry): ListedSession {
    const { sessionId, clientId, transport, openedAt, attributes } = entry
    const lastSeenAt = lastSeenOf(entry, this.#options)
    return { sessionId, clientId, transport, openedAt, lastSeenAt, attributes }
  }
}
