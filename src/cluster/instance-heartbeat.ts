import { reportBackgroundFailure } from '../session/background-failure.js'
import type { Log, SessionDependencies } from '../session/dependencies.js'
import type { SessionRegistry } from '../session/session-registry.js'
import type { SessionStore } from '../store/store.js'

export interface InstanceHeartbeatOptions {
  readonly sessions: Pick<SessionStore, 'touch'>
  readonly registry: Pick<SessionRegistry, 'heartbeatsSince' | 'reregister'>
  readonly log: Pick<Log, 'warn'>
  readonly boundedLog: SessionDependencies['boundedLog']
  /** Unix milliseconds of the steady clock. */
  readonly now: () => number
}

/**
 * Moves the deadlines of this instance's sessions in the store, all in one write per tick. After an outage it registers
 * the sessions again, since the store may have lost them.
 */
export class InstanceHeartbeat {
  readonly #options: InstanceHeartbeatOptions
  #writtenAt: number
  #needsReregistration = false

  constructor(options: InstanceHeartbeatOptions) {
    this.#options = options
    this.#writtenAt = options.now()
  }

  /** Registers all sessions again with the next {@link write}: the store turned out to lack some. */
  requestReregistration(): void {
    this.#needsReregistration = true
  }

  /** Writes the heartbeats since the last write. The next write retries a failed one. */
  async write(): Promise<void> {
    const { sessions, registry, log, now } = this.#options
    const since = this.#writtenAt
    this.#writtenAt = now()
    const heartbeats = [...registry.heartbeatsSince(since)]
    try {
      await sessions.touch(heartbeats)
    } catch (error) {
      this.#writtenAt = since
      // If the store did write them, an outage counts them twice.
      for (const { counter, counts } of heartbeats) if (counts !== undefined) counter?.putBack(counts)
      this.#needsReregistration = true
      reportBackgroundFailure(this.#options, 'upkeep', error, log, 'could not write session heartbeats')
      return
    }
    if (this.#needsReregistration) await this.#reregister()
  }

  async #reregister(): Promise<void> {
    const { registry, log } = this.#options
    this.#needsReregistration = false
    try {
      await registry.reregister()
    } catch (error) {
      this.#needsReregistration = true
      reportBackgroundFailure(this.#options, 'upkeep', error, log, 'could not register sessions again')
    }
  }
}
