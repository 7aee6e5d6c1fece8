import type { Peer } from '../auth/peer.js'
import { type CodeName, codes } from '../protocol/codes.js'
import type { Upstream } from '../protocol/messages.js'
import { StoreUnavailable } from '../store/store.js'
import type { SessionDependencies } from './dependencies.js'
import type { FrameReader } from './frame-reader.js'
import { needsStore } from './handlers/table.js'
import type { Outgoing } from './outbox.js'
import { SessionCounter } from './session-counts.js'
import { TokenBucket } from './token-bucket.js'

/**
 * A message that waited this long for one that the store did not answer is refused: each would wait for its timeout, one
 * after another. In milliseconds.
 */
export const maxStoreWaitMs = 1000

/** A verified frame: its message, or the error to answer if it is above the rate. */
type AcceptedFrame =
  | { readonly seq: number; readonly message: Upstream }
  | { readonly seq: number; readonly refusal: Outgoing }

/** Reads and counts the frames of a session, and refuses those above its rate. */
export class FrameIntake {
  readonly counter = new SessionCounter()
  /** When the last frame was verified, Unix milliseconds of the steady clock. */
  lastSeenAt: number
  readonly #dependencies: Pick<SessionDependencies, 'observer' | 'boundedLog'>
  readonly #reader: FrameReader
  readonly #bucket: TokenBucket
  #storeFailedAt = Number.NEGATIVE_INFINITY

  /** @param at  Unix milliseconds of the steady clock */
  constructor(dependencies: SessionDependencies, reader: FrameReader, at: number) {
    this.#dependencies = dependencies
    this.#reader = reader
    this.lastSeenAt = at
    this.#bucket = new TokenBucket(dependencies.settings.framesPerSecond, at)
  }

  /** The seq of the last frame that was in sequence. */
  get lastSeq(): number {
    return this.#reader.lastSeq
  }

  /**
   * Reads the next frame of a peer, and counts it.
   * @param at  Unix milliseconds of the steady clock, as all times here
   * @param receivedAt  earlier than `at` if the frame waited for those before it
   * @throws ProtocolError
   * @throws StoreUnavailable if it needs the store, and waited while the store did not answer
   */
  accept(peer: Peer, frame: Uint8Array, at: number, receivedAt: number): AcceptedFrame {
    const decoded = this.#reader.read(frame)
    const { seq } = decoded
    this.lastSeenAt = at
    const refusal = this.#admit(peer, frame.length, seq)
    if (refusal !== undefined) return { seq, refusal }
    if ('error' in decoded) throw decoded.error
    const { message } = decoded
    this.#dependencies.observer.received(message.type)
    if (receivedAt <= this.#storeFailedAt - maxStoreWaitMs && needsStore(message)) {
      throw new StoreUnavailable(new Error('the store did not answer the message before'), 'unsent')
    }
    return { seq, message }
  }

  /** The store failed a message. An immediate refusal, as by a full store, does not affect messages that wait. */
  storeFailed(startedAt: number, at: number): void {
    if (at - startedAt >= maxStoreWaitMs) this.#storeFailedAt = at
  }

  #admit(peer: Peer, bytes: number, seq: number): Outgoing | undefined {
    this.counter.received(bytes)
    const retryAfterMs = this.#bucket.consume(this.lastSeenAt)
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
