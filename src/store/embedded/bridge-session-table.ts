import type { NewBridgeSession } from '../bridge.js'
import { StoreUnavailable } from '../errors.js'
import { EmbeddedBridgeSession } from './bridge-session.js'

/** Most bridge sessions, including ended ones. At the bound new ones are refused. */
const maxSessions = 200_000

/** Bridge sessions by id. Ended ones are removed after their time when they are looked up, or when space is needed. */
export class BridgeSessionTable {
  readonly #now: () => number
  readonly #sessions = new Map<string, EmbeddedBridgeSession>()

  /** @param now  unix milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  /** @throws StoreUnavailable if there are too many */
  add(session: NewBridgeSession): void {
    if (this.#sessions.size >= maxSessions) for (const sessionId of this.#sessions.keys()) this.find(sessionId)
    if (this.#sessions.size >= maxSessions) {
      throw new StoreUnavailable(new Error(`${maxSessions} bridge sessions, the most that are kept`), 'unsent')
    }
    this.#sessions.set(session.sessionId, new EmbeddedBridgeSession(session))
  }

  find(sessionId: string): EmbeddedBridgeSession | undefined {
    const session = this.#sessions.get(sessionId)
    if (session === undefined || !session.isForgotten(this.#now())) return session
    this.#sessions.delete(sessionId)
    return undefined
  }
}
