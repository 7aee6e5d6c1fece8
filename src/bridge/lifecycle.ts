import type { DrainParticipant } from '../cluster/drain.js'
import type { WakeReason } from './held-poll.js'
import { drainIdleMs } from './settings.js'

/** The shutdown of this instance, as far as the bridge is concerned. */
export class BridgeLifecycle implements DrainParticipant {
  readonly #wakeHeldPolls: (reason: WakeReason) => void
  #isDraining = false
  #isClosing = false
  /** `performance.now()` of the last exchange. */
  #lastExchangeAt = 0

  constructor(wakeHeldPolls: (reason: WakeReason) => void) {
    this.#wakeHeldPolls = wakeHeldPolls
  }

  /** Whether clients should move to another instance: polls are held only briefly, handshakes are refused. */
  get isDraining(): boolean {
    return this.#isDraining
  }

  /** Whether exchanges are refused with DRAINING. */
  get isClosing(): boolean {
    return this.#isClosing
  }

  noteExchange(): void {
    this.#lastExchangeAt = performance.now()
  }

  /** Answers held polls at once; later ones are held only briefly. */
  begin(): void {
    this.#isDraining = true
    this.#wakeHeldPolls('draining')
  }

  /** The server closes: from now on exchanges are refused. */
  close(): void {
    this.#isClosing = true
    this.begin()
  }

  /** Whether no client has sent an exchange for a while. */
  isQuiet(): boolean {
    return performance.now() - this.#lastExchangeAt > drainIdleMs
  }
}
