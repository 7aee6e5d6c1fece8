import { idempotencyLifeMs, type Position, sessionResultLifeMs } from '../channels.js'
import { ShareExceeded } from '../errors.js'
import { OrderedMap } from '../ordered-map.js'

export interface IdempotencyResult extends Position {
  /** See `dataDigest`. */
  readonly digest: string
  readonly endsAt: number
}

export interface OwnedResult extends IdempotencyResult {
  readonly owner: string
}

/** Results kept per bridge session, the newest: a claim runs again within 15 s, or never. */
export const maxSessionResults = 512

/** Results of publications with a client's key, for {@link idempotencyLifeMs}. */
export class ClientResults {
  readonly #now: () => number
  readonly #max: number
  // All have the same life, so they are in order of their ends.
  readonly #results = new OrderedMap<string, OwnedResult>()
  readonly #countByOwner = new Map<string, number>()

  /**
   * @param now  unix milliseconds
   * @param max  most results of all owners
   */
  constructor(now: () => number, max: number) {
    this.#now = now
    this.#max = max
  }

  get size(): number {
    return this.#results.size
  }

  get(key: string): IdempotencyResult | undefined {
    const result = this.#results.get(key)
    return result !== undefined && result.endsAt > this.#now() ? result : undefined
  }

  /** In order of their ends. */
  entries(): Iterable<readonly [string, OwnedResult]> {
    return this.#results
  }

  /** Restores a result from before a restart; call it in order of their ends. */
  restore(key: string, result: OwnedResult): void {
    if (result.endsAt > this.#now() && this.#results.size < this.#max) this.#set(key, result)
  }

  /**
   * Makes capacity for one more result. Call it before {@link add}. At the bound, an owner above an equal share is
   * refused; for any other owner the oldest result of all is dropped.
   * @throws ShareExceeded
   */
  makeCapacity(owner: string): void {
    this.removeExpired(Number.POSITIVE_INFINITY)
    if (this.#results.size < this.#max) return
    const share = this.#max / Math.max(this.#countByOwner.size, 1)
    if ((this.#countByOwner.get(owner) ?? 0) >= share) throw new ShareExceeded('idempotency results', this.#max)
    const { oldest } = this.#results
    if (oldest !== undefined) this.#remove(oldest[0])
  }

  add(key: string, owner: string, digest: string, { offset, epoch }: Position): void {
    this.#remove(key)
    this.#set(key, { offset, epoch, digest, owner, endsAt: this.#now() + idempotencyLifeMs })
  }

  #set(key: string, result: OwnedResult): void {
    this.#results.set(key, result)
    this.#countByOwner.set(result.owner, (this.#countByOwner.get(result.owner) ?? 0) + 1)
  }

  /** @param most  removes at most this number */
  removeExpired(most: number): void {
    for (let left = most; left > 0; left--) {
      const { oldest } = this.#results
      if (oldest === undefined || oldest[1].endsAt > this.#now()) return
      this.#remove(oldest[0])
    }
  }

  #remove(key: string): void {
    const owner = this.#results.get(key)?.owner
    if (owner === undefined) return
    this.#results.delete(key)
    const count = (this.#countByOwner.get(owner) ?? 1) - 1
    if (count === 0) this.#countByOwner.delete(owner)
    else this.#countByOwner.set(owner, count)
  }
}

interface ResultsOfSession {
  /** In order of their ends. */
  readonly results: Map<string, IdempotencyResult>
  /** When the newest of them ends, in unix milliseconds. */
  endsAt: number
}

/** Results of messages of bridge sessions. They live with their session, for {@link sessionResultLifeMs} at most. */
export class SessionResults {
  readonly #now: () => number
  readonly #max: number
  // The least recently active session first.
  readonly #bySession = new OrderedMap<string, ResultsOfSession>()
  #size = 0

  /**
   * @param now  unix milliseconds
   * @param max  most results of all sessions; above, the least recently active session loses its oldest
   */
  constructor(now: () => number, max: number) {
    this.#now = now
    this.#max = max
  }

  get size(): number {
    return this.#size
  }

  get(sessionId: string, key: string): IdempotencyResult | undefined {
    const result = this.#bySession.get(sessionId)?.results.get(key)
    return result !== undefined && result.endsAt > this.#now() ? result : undefined
  }

  add(sessionId: string, key: string, digest: string, { offset, epoch }: Position): void {
    const session = this.#bySession.get(sessionId) ?? { results: new Map(), endsAt: 0 }
    this.#bySession.delete(sessionId)
    this.#bySession.set(sessionId, session)
    session.endsAt = this.#now() + sessionResultLifeMs
    if (session.results.delete(key)) this.#size--
    session.results.set(key, { offset, epoch, digest, endsAt: session.endsAt })
    this.#size++
    this.#trim(sessionId, session, maxSessionResults)
    while (this.#size > this.#max) {
      const quietest = this.#bySession.oldest
      if (quietest === undefined) return
      this.#trim(...quietest, quietest[1].results.size - 1)
    }
  }

  /** Drops the results of a session that has ended. */
  endSession(sessionId: string): void {
    const session = this.#bySession.get(sessionId)
    if (session !== undefined) this.#trim(sessionId, session, 0)
  }

  /** @param most  drops the results of at most this number of sessions, the least recently active first */
  removeExpired(most: number): void {
    for (let left = most; left > 0; left--) {
      const quietest = this.#bySession.oldest
      if (quietest === undefined || quietest[1].endsAt > this.#now()) return
      this.endSession(quietest[0])
    }
  }

  /** Drops the oldest results of a session until `most` are left. */
  #trim(sessionId: string, { results }: ResultsOfSession, most: number): void {
    for (const key of results.keys()) {
      if (results.size <= most) break
      results.delete(key)
      this.#size--
    }
    if (results.size === 0) this.#bySession.delete(sessionId)
  }
}
