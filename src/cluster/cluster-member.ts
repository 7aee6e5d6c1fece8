import { reportBackgroundFailure } from '../session/background-failure.js'
import type { SessionDependencies } from '../session/dependencies.js'
import type { SessionRegistry } from '../session/session-registry.js'
import type { SessionSource, TickTimes } from '../session/session-source.js'
import { InstanceHeartbeat } from './instance-heartbeat.js'
import type { StoredPresenceTracker } from './presence.js'
import { RevocationWatcher } from './revocation-watcher.js'
import { SessionReaper } from './session-reaper.js'

/**
 * This instance as a member of the cluster: keeps its sessions alive in the store, reaps those of lost instances,
 * applies revocations, and reports presence. It has no timers: call {@link tick} about once a second.
 */
export class ClusterMember {
  readonly #dependencies: Pick<
    SessionDependencies,
    'log' | 'boundedLog' | 'now' | 'steadyNow' | 'isGracePeriod' | 'presenceNotifier'
  >
  readonly #sessions: SessionRegistry
  readonly #presence: StoredPresenceTracker
  readonly #heartbeat: InstanceHeartbeat
  readonly #reaper: SessionReaper
  readonly #watcher: RevocationWatcher
  /** Source ticks and store work still in progress. */
  readonly #running = new Map<object, Promise<void>>()

  constructor(dependencies: SessionDependencies, sessions: SessionRegistry, presence: StoredPresenceTracker) {
    const { store, registry, log, boundedLog, now, steadyNow, isGracePeriod } = dependencies
    this.#dependencies = dependencies
    this.#sessions = sessions
    this.#presence = presence
    const heartbeat = new InstanceHeartbeat({
      ...{ sessions: store.sessions, registry: sessions, log, boundedLog, now: steadyNow }
    })
    const requestReregistration = () => heartbeat.requestReregistration()
    this.#heartbeat = heartbeat
    this.#reaper = new SessionReaper({
      ...{ sessions: store.sessions, registry: sessions, now: steadyNow, isGracePeriod },
      onStaleEntry: requestReregistration
    })
    this.#watcher = new RevocationWatcher({
      ...{ durable: store.durable, registry, sessions, log, boundedLog, now, onRewound: requestReregistration }
    })
  }

  /** Call it after this process was paused: other instances may have reaped its sessions. */
  registerAgain(): void {
    this.#heartbeat.requestReregistration()
  }

  /** Starts following revocations. Await it before the first handshake. @throws StoreUnavailable */
  start(): Promise<void> {
    return this.#watcher.check()
  }

  /**
   * Expires and challenges sessions at once, even when the store is slow. Store work runs once at a time; its failures
   * are logged, and the next tick retries.
   */
  async tick(): Promise<void> {
    const { now, steadyNow, isGracePeriod, presenceNotifier } = this.#dependencies
    const times = { now: now(), steadyNow: steadyNow(), isGracePeriod: isGracePeriod() }
    const ticks = [...this.#sessions.sources].map(source => this.#once(source, () => this.#tickSource(source, times)))
    const storeWork = this.#once(this, () => this.#workWithStore())
    await Promise.all([...ticks, storeWork, this.#flushPresence()])
    presenceNotifier.tick()
  }

  /** Starts work unless the same work still runs. */
  #once(key: object, work: () => Promise<void>): Promise<void> {
    const running = this.#running.get(key)
    if (running !== undefined) return running
    const started = work().finally(() => this.#running.delete(key))
    this.#running.set(key, started)
    return started
  }

  async #tickSource(source: SessionSource, times: TickTimes): Promise<void> {
    try {
      await source.tick(times)
    } catch (error) {
      this.#reportTick(error)
    }
  }

  async #workWithStore(): Promise<void> {
    const results = await Promise.allSettled([this.#heartbeat.write(), this.#reaper.reap(), this.#watcher.check()])
    for (const result of results) {
      if (result.status === 'rejected') this.#reportTick(result.reason)
    }
  }

  /** Runs apart from the other store work: with many channels it takes long, and heartbeats must not wait for it. */
  async #flushPresence(): Promise<void> {
    try {
      await this.#presence.flush(since => this.#sessions.presenceSince(since))
    } catch (error) {
      this.#reportTick(error)
    }
  }

  #reportTick(error: unknown): void {
    reportBackgroundFailure(this.#dependencies, 'upkeep', error, this.#dependencies.log, 'a tick failed')
  }

  /** Stops following revocations, and writes the last presence changes. */
  async stop(): Promise<void> {
    this.#watcher.stop()
    await this.#flushPresence()
    // Again, for changes that were reported during the first flush.
    await this.#flushPresence()
  }
}
