import type { BridgeState, BridgeStore } from '../store/bridge.js'
import { SessionEnded } from './session-ended.js'

/** A commit raises the version; an exchange raises `ack` or `received`, or changes nothing that is compared here. */
function isOlder(a: BridgeState, b: BridgeState): boolean {
  if (a.version !== b.version) return a.version < b.version
  return a.ack < b.ack || a.received < b.received
}

/**
 * A state that a commit made before the reply of an earlier exchange settled: the claims and the `ack` of the exchange
 * stay valid, since the commit did not include them.
 */
function withExchange(latest: BridgeState, { received, ack, claims }: BridgeState): BridgeState {
  return {
    ...latest,
    received: Math.max(received, latest.received),
    ack: Math.max(ack, latest.ack),
    frames: latest.frames.slice(Math.max(0, ack - latest.ack)),
    claims: [...latest.claims, ...claims.filter(({ seq }) => seq > latest.received)]
  }
}

/**
 * One session as the last step of the store returned it to this instance. Other instances may have changed it since.
 */
export class SessionState {
  readonly #store: BridgeStore
  readonly #sessionId: string
  readonly #answerBytes: number
  #latest: BridgeState | undefined
  #isUncertain = true
  readonly #waiting = new Set<() => void>()

  /** @param answerBytes frames that a reload reads, in bytes */
  constructor(store: BridgeStore, sessionId: string, answerBytes: number) {
    this.#store = store
    this.#sessionId = sessionId
    this.#answerBytes = answerBytes
  }

  /** The latest state, or undefined before the first step. */
  get latest(): BridgeState | undefined {
    return this.#latest
  }

  /** The latest state, for callers that run after a step. @throws Error before the first step */
  get current(): BridgeState {
    if (this.#latest === undefined) throw new Error('the state of the session was not read yet')
    return this.#latest
  }

  /** Whether the store must be read first: no step was made yet, or the outcome of a commit is unknown. */
  get isUncertain(): boolean {
    return this.#isUncertain
  }

  /** Channels that the session has joined, as far as this instance knows. */
  get channels(): Iterable<string> {
    return this.#latest?.positions.keys() ?? []
  }

  /**
   * Applies the result of a step. Redis answers the steps of one instance in order, but the promises of replies that
   * arrive together may settle in another order: an older state adds only changes that a commit cannot include.
   */
  apply(state: BridgeState): void {
    const latest = this.#latest
    if (latest === undefined || !isOlder(state, latest)) this.#latest = state
    else if (state.received > latest.received || state.ack > latest.ack) this.#latest = withExchange(latest, state)
    this.#isUncertain = false
    this.notifyWaiting()
  }

  /** A commit was sent: until its outcome is known, `latest` may be outdated. */
  markUncertain(): void {
    this.#isUncertain = true
  }

  /** Reads the session from the store. @throws SessionEnded, StoreUnavailable */
  async reload(): Promise<BridgeState> {
    const state = await this.#store.read(this.#sessionId, this.#answerBytes)
    if (state === undefined) throw await this.readEnding()
    this.apply(state)
    return this.current
  }

  /** Reads why the session has ended, for a caller that found it missing. @throws StoreUnavailable */
  async readEnding(): Promise<SessionEnded> {
    return new SessionEnded((await this.#store.info(this.#sessionId))?.ended)
  }

  /** Resolves at the next change, or after `ms`. */
  changed(ms: number): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        clearTimeout(timer)
        this.#waiting.delete(done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      this.#waiting.add(done)
    })
  }

  /** Resolves every `changed`, so that waiters check claims again. */
  notifyWaiting(): void {
    for (const done of this.#waiting) done()
  }
}
