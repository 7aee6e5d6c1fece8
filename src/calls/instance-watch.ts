/**
 * Calls whose receivers are watched, of all callers. Above, the loss of an instance shows only when its calls time out.
 */
export const maxWatchedCalls = 100_000

interface WatchedCall {
  readonly instanceId: string
  /** Unix milliseconds. */
  readonly expiresAt: number
  /** See `IncomingCall`. */
  readonly reply?: string | undefined
}

/** A call whose receiver's instance was lost. */
export interface LostCall {
  readonly callId: string
  readonly reply: string | undefined
}

/** Watches the instances that serve the receivers of calls: a lost instance answers none of them. */
export class InstanceWatch {
  readonly #isAlive: (instanceId: string) => Promise<boolean>
  readonly #calls = new Map<string, WatchedCall>()

  constructor(isAlive: (instanceId: string) => Promise<boolean>) {
    this.#isAlive = isAlive
  }

  get size(): number {
    return this.#calls.size
  }

  add(callId: string, call: WatchedCall): void {
    if (this.#calls.size < maxWatchedCalls) this.#calls.set(callId, call)
  }

  /** @param now  unix milliseconds. @returns calls to lost instances, each once. @throws StoreUnavailable */
  async check(now: number): Promise<readonly LostCall[]> {
    for (const [callId, { expiresAt }] of this.#calls) if (expiresAt <= now) this.#calls.delete(callId)
    const instances = [...new Set([...this.#calls.values()].map(({ instanceId }) => instanceId))]
    const alive = await Promise.all(instances.map(instanceId => this.#isAlive(instanceId)))
    const lost = new Set(instances.filter((_, i) => alive[i] === false))
    const calls = [...this.#calls].filter(([, { instanceId }]) => lost.has(instanceId))
    for (const [callId] of calls) this.#calls.delete(callId)
    return calls.map(([callId, { reply }]) => ({ callId, reply }))
  }
}
