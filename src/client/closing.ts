import type { Timers } from './timers.js'
import { byeMs, lastRequestsMs } from './timing.js'

export interface ClosingHost {
  /** Whether accepted messages are still unsent. */
  hasUnsent(): boolean
  /** Sends `bye`. @returns whether there is a session that can answer it */
  sendBye(): boolean
  /** The closing is complete. */
  finish(): void
}

/** Closes a client: sends the accepted messages, then `bye`, and waits for its answer. */
export class ClosingStage {
  readonly done: Promise<void>
  readonly #host: ClosingHost
  readonly #timers: Pick<Timers, 'set' | 'clear'>
  #resolve: () => void = () => {}
  #sentBye = false
  #isOver = false

  constructor(host: ClosingHost, timers: Pick<Timers, 'set' | 'clear'>) {
    this.#host = host
    this.#timers = timers
    this.done = new Promise(resolve => {
      this.#resolve = resolve
    })
  }

  begin(): void {
    this.#timers.set('closing', lastRequestsMs, () => this.#sendBye())
    this.proceed()
  }

  /** Continues once everything is sent. Called after each step that may have sent messages. */
  proceed(): void {
    if (!this.#sentBye && !this.#host.hasUnsent()) this.#sendBye()
  }

  #sendBye(): void {
    this.#sentBye = true
    if (this.#host.sendBye()) this.#timers.set('closing', byeMs, () => this.end())
    else this.end()
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#timers.clear('closing')
    this.#host.finish()
    this.#resolve()
  }
}
