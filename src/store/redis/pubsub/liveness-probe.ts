/** Silence before a probe is published, and after its acceptance before the connection counts as not receiving. */
export const defaultSilenceMs = 10_000
/** Upper bound of the silence allowed after repeated restarts, in intervals. It doubles up to there. */
const maxIntervals = 10

export interface LivenessProbeOptions {
  /** Default {@link defaultSilenceMs}. */
  readonly silenceMs?: number
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Publishes a message that this connection should receive. A rejection proves nothing about the connection. */
  readonly probe: () => Promise<void>
  /** Replaces the connection. */
  readonly restart: () => void
}

/**
 * Detects a healthy TCP connection that receives nothing, because its server is no longer the primary or because
 * something in between drops messages. Silence alone proves nothing. After an interval of silence a probe is published
 * like any message; if it is accepted and nothing arrives within another interval, the connection is replaced.
 */
export class LivenessProbe {
  readonly #silenceMs: number
  readonly #now: () => number
  readonly #probe: () => Promise<void>
  readonly #restart: () => void
  #isUp = false
  #isReceiving = true
  #lastReceivedAt: number
  #restarts = 0
  /** The outstanding probe: its publication is pending, or it was accepted at that time. */
  #pending: 'publishing' | number | undefined
  /** Counts probes whose outcome is ignored. */
  #generation = 0

  constructor({ silenceMs = defaultSilenceMs, now, probe, restart }: LivenessProbeOptions) {
    this.#silenceMs = silenceMs
    this.#now = now
    this.#probe = probe
    this.#restart = restart
    this.#lastReceivedAt = now()
  }

  /** False from the failed probe until a message arrives. */
  get isReceiving(): boolean {
    return this.#isReceiving
  }

  /** Call it for each message. */
  received(): void {
    this.#lastReceivedAt = this.#now()
    this.#isReceiving = true
    this.#restarts = 0
    if (this.#pending !== undefined) this.#cancelProbe()
  }

  /** @param isUp  whether the connection is up and has subscribed */
  changeConnection(isUp: boolean): void {
    this.#isUp = isUp
    this.#cancelProbe()
    this.#lastReceivedAt = this.#now()
    // A new connection has to prove at once that it receives.
    if (isUp && !this.#isReceiving) this.#publishProbe()
  }

  /** Call it several times per interval. */
  check(): void {
    if (!this.#isUp) return
    if (this.#pending === undefined) {
      const isSilent = this.#now() - this.#lastReceivedAt >= this.#silenceMs
      if (!this.#isReceiving || isSilent) this.#publishProbe()
      return
    }
    if (this.#pending === 'publishing') return
    const patienceMs = this.#silenceMs * Math.min(2 ** this.#restarts, maxIntervals)
    if (this.#now() - this.#pending < patienceMs) return
    this.#isReceiving = false
    this.#restarts++
    this.#cancelProbe()
    this.#restart()
  }

  #publishProbe(): void {
    const generation = this.#generation
    const settle = (pending: number | undefined) => {
      if (generation === this.#generation) this.#pending = pending
    }
    this.#pending = 'publishing'
    this.#probe().then(
      () => settle(this.#now()),
      () => settle(undefined)
    )
  }

  #cancelProbe(): void {
    this.#generation++
    this.#pending = undefined
  }
}
