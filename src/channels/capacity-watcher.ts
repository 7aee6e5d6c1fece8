import { type StoreBound, type StoreMemory, StoreUnavailable } from '../store/store.js'
import type { OwnerLimits } from './quotas.js'

/** Interval between reads of the store's memory limit, in milliseconds: an operator or a failover may change it. */
const readEveryMs = 60_000

export interface CapacityLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface CapacityWatcherOptions {
  readonly store: { memory?(): Promise<StoreMemory | undefined>; readonly isFull: boolean }
  /** The quotas for a store's memory. @param maxBytes  undefined: unlimited, or unknown */
  readonly limitsOf: (maxBytes: number | undefined) => OwnerLimits
  readonly onLimits: (limits: OwnerLimits) => void
  /** Milliseconds of a clock that never jumps back. */
  readonly now: () => number
  readonly log: CapacityLog
}

/** Adapts quotas to the memory of a store that has its own, such as Redis, and reports when it is full. */
export class CapacityWatcher {
  readonly #options: CapacityWatcherOptions
  #readAt = Number.NEGATIVE_INFINITY
  /** The last log line about the memory, so that only changes are logged. */
  #logged: string | undefined
  #memory: StoreMemory | undefined
  #wasFull = false

  constructor(options: CapacityWatcherOptions) {
    this.#options = options
  }

  /** The last reading of the memory, for metrics; undefined if it is unlimited or unknown. */
  bounds(): readonly StoreBound[] {
    if (this.#memory === undefined) return []
    const { usedBytes, maxBytes } = this.#memory
    return [{ name: 'redis_memory_bytes', used: usedBytes, limit: maxBytes }]
  }

  /** Call it at the start, and about once a second. It never rejects. */
  async tick(): Promise<void> {
    const { store, now, log } = this.#options
    this.#reportFull()
    if (store.memory === undefined || now() - this.#readAt < readEveryMs) return
    this.#readAt = now()
    try {
      this.#memory = await store.memory()
      this.#apply(this.#memory?.maxBytes)
    } catch (error) {
      // The previous reading stays valid while the store is unavailable.
      if (this.#logged === undefined) this.#apply(undefined, error)
      else if (!(error instanceof StoreUnavailable)) log.error({ err: error }, 'could not adapt quotas to the store')
    }
  }

  #apply(maxBytes: number | undefined, error?: unknown): void {
    const { limitsOf, onLimits, log } = this.#options
    const limits = limitsOf(maxBytes)
    onLimits(limits)
    const { perClient, perToken } = limits
    const fields = {
      ...(maxBytes === undefined ? {} : { maxMemoryBytes: maxBytes }),
      ...{ clientHistoryBytes: perClient.historyBytes, tokenHistoryBytes: perToken.historyBytes },
      ...(error === undefined ? {} : { err: error })
    }
    const text = JSON.stringify(fields)
    if (text === this.#logged) return
    this.#logged = text
    const unlimited = "Redis has no maxmemory: quotas assume that it has space for the gateway's bounds"
    const known = maxBytes === undefined ? unlimited : 'quotas follow from the maxmemory of Redis'
    if (error !== undefined)
      log.warn(fields, 'the maxmemory of Redis cannot be read (INFO memory): quotas assume that there is none')
    else if (maxBytes !== undefined && perClient.historyBytes > maxBytes / 2) {
      const advice =
        'COUNTERSIGN_CLIENT_HISTORY_BYTES is more than half of the maxmemory of Redis: one client can fill it'
      log.warn(fields, advice)
    } else log.info(fields, known)
  }

  #reportFull(): void {
    const { store, log } = this.#options
    if (store.isFull === this.#wasFull) return
    this.#wasFull = store.isFull
    const { maxBytes } = this.#memory ?? {}
    const fields = maxBytes === undefined ? {} : { maxMemoryBytes: maxBytes }
    if (this.#wasFull)
      log.error(fields, 'Redis refuses what needs memory: raise its maxmemory, or lower what clients may keep')
    else log.info(fields, 'Redis has memory again')
  }
}
