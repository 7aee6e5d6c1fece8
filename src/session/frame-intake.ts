import type { Peer } from '../auth/peer.js'
import { type CodeName, codes } from '../protocol/codes.js'
import type { SessionDependencies } from './dependencies.js'
import type { Outgoing } from './outbox.js'
import { SessionCounter } from './session-counts.js'
import { TokenBucket } from './token-bucket.js'

/** Counts the frames of a session, and refuses those above its rate. */
export class FrameIntake {
  readonly counter = new SessionCounter()
  readonly #dependencies: Pick<SessionDependencies, 'observer' | 'boundedLog'>
  readonly #bucket: TokenBucket

  /** @param at  Unix milliseconds of the steady clock */
  constructor(dependencies: SessionDependencies, at: number) {
    this.#dependencies = dependencies
    this.#bucket = new TokenBucket(dependencies.settings.framesPerSecond, at)
  }

  /**
   * Counts a verified frame.
   * @param seq  of the frame
   * @returns the error to answer if the frame is above the rate
   */
  admit(peer: Peer, bytes: number, seq: number, at: number): Outgoing | undefined {
    this.counter.received(bytes)
    const retryAfterMs = this.#bucket.consume(at)
    if (retryAfterMs === 0) return undefined
    this.refused('RATE_LIMITED')
    this.#dependencies.boundedLog.floods.record(peer)
    return { type: 'error', re: seq, code: 'RATE_LIMITED', message: codes.RATE_LIMITED.message, retryAfterMs }
  }

  refused(code: CodeName): void {
    this.counter.refused()
    this.#dependencies.observer.refused(code)
  }
}
