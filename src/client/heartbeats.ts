import type { Connection } from './connection.js'
import type { Timers } from './timers.js'
import { heartbeatAnswerMs, probeAnswerMs } from './timing.js'

/** Heartbeats of the current session. Hidden pages rely on the gateway's `ping` instead (PROTOCOL §6.1). */
export class Heartbeats {
  readonly #timers: Timers
  readonly #onSilence: (connection: Connection) => void

  /** @param onSilence  nothing arrived within the time after a heartbeat */
  constructor(timers: Timers, onSilence: (connection: Connection) => void) {
    this.#timers = timers
    this.#onSilence = onSilence
  }

  start(connection: Connection, intervalMs: number): void {
    this.#timers.clear('silence')
    this.#schedule(connection, intervalMs)
  }

  #schedule(connection: Connection, intervalMs: number): void {
    this.#timers.set('heartbeat', intervalMs, () => {
      this.#schedule(connection, intervalMs)
      this.#beat(connection, heartbeatAnswerMs)
    })
  }

  #beat(connection: Connection, answerMs: number): void {
    if (this.#timers.has('silence')) return
    this.#timers.set('silence', answerMs, () => this.#onSilence(connection))
    connection.send({ type: 'heartbeat' })
  }

  /** Checks now whether the session is alive. */
  probe(connection: Connection): void {
    this.#beat(connection, probeAnswerMs)
  }

  /** A verified frame arrived. */
  heard(): void {
    this.#timers.clear('silence')
  }

  stop(): void {
    this.#timers.clear('heartbeat', 'silence')
  }
}
