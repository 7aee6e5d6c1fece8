import type { SessionRegistry } from '../session/session-registry.js'
import type { SessionEntry, SessionStore } from '../store/store.js'

/** Grace for an instance to end an overdue session before other instances may, in milliseconds. */
const reapLeaseMs = 10_000
/** Overdue sessions that one pass claims. */
const maxReapedSessions = 500

export interface SessionReaperOptions {
  readonly sessions: Pick<SessionStore, 'reap'>
  readonly registry: Pick<SessionRegistry, 'sourceOf'>
  /** Called when the store has an outdated deadline of a session that this instance serves. */
  readonly onStaleEntry: () => void
  /** Unix milliseconds of the steady clock. */
  readonly now: () => number
  /** Whether nothing may be reaped yet, see `SessionDependencies`. */
  readonly isGracePeriod: () => boolean
}

/** Ends sessions whose deadline has passed, mostly those of lost instances. */
export class SessionReaper {
  readonly #options: SessionReaperOptions

  constructor(options: SessionReaperOptions) {
    this.#options = options
  }

  /** Claims overdue sessions from the store and expires them. @throws StoreUnavailable */
  async reap(): Promise<void> {
    const { sessions, onStaleEntry, now, isGracePeriod } = this.#options
    if (isGracePeriod()) return
    const overdue = await sessions.reap(now(), maxReapedSessions, reapLeaseMs)
    const served = await Promise.all(overdue.map(entry => this.#expire(entry)))
    if (served.includes(true)) onStaleEntry()
  }

  async #expire(entry: SessionEntry): Promise<boolean> {
    const source = this.#options.registry.sourceOf(entry.transport)
    // Another version of the gateway may know more transports: its instances reap those sessions.
    return source === undefined ? false : source.expire(entry)
  }
}
