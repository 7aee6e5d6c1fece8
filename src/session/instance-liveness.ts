import type { BridgeStore } from '../store/bridge.js'

/**
 * Time for which an answer of the store is cached, in milliseconds: an instance without a heartbeat for 5 s is dead.
 */
export const livenessLifeMs = 1000
/** Instances with a cached answer. Above, the oldest answer is forgotten. */
export const maxKnownInstances = 1000

export interface InstanceLivenessOptions {
  readonly store: Pick<BridgeStore, 'isAlive'>
  /** This instance. */
  readonly instanceId: string
  /** Milliseconds of a clock that never jumps back. */
  readonly now: () => number
}

interface Asked {
  readonly at: number
  readonly isAlive: Promise<boolean>
}

/** Checks which instances are alive. Asks the store at most once per {@link livenessLifeMs} and instance. */
export class InstanceLiveness {
  readonly #options: InstanceLivenessOptions
  /** Oldest answer first. */
  readonly #asked = new Map<string, Asked>()

  constructor(options: InstanceLivenessOptions) {
    this.#options = options
  }

  /** @throws StoreUnavailable */
  isAlive(instanceId: string): Promise<boolean> {
    const { store, instanceId: own, now } = this.#options
    if (instanceId === own) return Promise.resolve(true)
    const known = this.#asked.get(instanceId)
    if (known !== undefined && now() - known.at < livenessLifeMs) return known.isAlive
    this.#asked.delete(instanceId)
    const [oldest] = this.#asked.size >= maxKnownInstances ? this.#asked.keys() : []
    if (oldest !== undefined) this.#asked.delete(oldest)
    const asked = { at: now(), isAlive: store.isAlive(instanceId) }
    this.#asked.set(instanceId, asked)
    // A failure is not cached: the next caller asks again.
    asked.isAlive.catch(() => {
      if (this.#asked.get(instanceId) === asked) this.#asked.delete(instanceId)
    })
    return asked.isAlive
  }
}
