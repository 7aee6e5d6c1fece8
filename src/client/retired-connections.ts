import type { Connection } from './connection.js'
import type { Platform } from './options.js'

/** Sessions replaced by a newer one (PROTOCOL §4.5). A `bye` before their calls are answered would fail these calls. */

/** Bound of replaced sessions. */
export const maxRetired = 4
/** Longest life of a replaced session, in milliseconds: no call lasts longer. */
const keepMs = 30_000

export class RetiredConnections {
  readonly #platform: Pick<Platform, 'setTimer' | 'clearTimer'>
  readonly #timers = new Map<Connection, unknown>()

  constructor(platform: Pick<Platform, 'setTimer' | 'clearTimer'>) {
    this.#platform = platform
  }

  /** Ends a session with `bye`, as soon as its calls are answered. */
  add(connection: Connection): void {
    this.#timers.set(
      connection,
      this.#platform.setTimer(() => this.#end(connection), keepMs)
    )
    for (const oldest of this.#timers.keys()) if (this.#timers.size > maxRetired) this.#end(oldest)
    this.endIdle()
  }

  get connections(): readonly Connection[] {
    return [...this.#timers.keys()]
  }

  /** Ends sessions without unanswered calls. */
  endIdle(): void {
    for (const connection of this.connections) if (!connection.isBusy) this.#end(connection)
  }

  endAll(): void {
    for (const connection of this.connections) this.#end(connection)
  }

  #end(connection: Connection): void {
    this.#platform.clearTimer(this.#timers.get(connection))
    this.#timers.delete(connection)
    connection.endWithBye()
  }
}
