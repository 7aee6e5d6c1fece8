import { currentSchema } from '../registry/schema-in-use.js'
import type { SessionDependencies } from '../session/dependencies.js'
import type { OtherInstances } from './drain.js'

/** How often an instance renews its heartbeat in the store. */
const heartbeatIntervalMs = 1000
/** An instance without a heartbeat for this time counts as dead: other instances take over its claims. */
const heartbeatTtlMs = 5000

type AnnouncerDependencies = Pick<SessionDependencies, 'store' | 'settings' | 'registry'>

/** The heartbeat of this instance itself in the store, with the data that other instances read. */
export class InstanceAnnouncer implements OtherInstances {
  readonly #dependencies: AnnouncerDependencies
  #announcedAt = 0
  #isStopping = false

  constructor(dependencies: AnnouncerDependencies) {
    this.#dependencies = dependencies
  }

  /** Call it about once a second. @param steadyNow  unix milliseconds of the steady clock @throws StoreUnavailable */
  async tick(steadyNow: number): Promise<void> {
    if (steadyNow - this.#announcedAt < heartbeatIntervalMs) return
    this.#announcedAt = steadyNow
    await this.#announce()
  }

  /** @throws StoreUnavailable; the next tick announces it again */
  announceStop(): Promise<void> {
    this.#isStopping = true
    return this.#announce()
  }

  /** Whether the store reports this instance. @throws StoreUnavailable */
  async exist(): Promise<boolean> {
    const announced = await this.#dependencies.store.announcements()
    return announced === undefined || announced.some(({ isStopping }) => isStopping !== true)
  }

  async #announce(): Promise<void> {
    const { store, settings, registry } = this.#dependencies
    await store.bridge.heartbeat(settings.instanceId, heartbeatTtlMs, {
      schemaVersion: currentSchema,
      secrets: registry.secretDigests(),
      ...(this.#isStopping ? { isStopping: true } : {})
    })
  }
}
