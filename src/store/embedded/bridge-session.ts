import {
  type AwaitedCall,
  type BridgeCommit,
  type BridgeState,
  burstSeconds,
  type ChallengeState,
  type Claim,
  type ClaimedMessage,
  type CommitOutcome,
  type ExchangeOutcome,
  type ExchangeRequest,
  type NewBridgeSession,
  type ReceivedCall
} from '../bridge.js'
import type { Position } from '../channels.js'
import { framesWithin } from '../frames-within.js'

const noClaims: readonly Claim[] = []

/** One bridge session in memory, with the atomic steps of `BridgeStore`. */
export class EmbeddedBridgeSession {
  readonly info: string
  #ended: { readonly code: string; readonly until: number } | undefined
  #isRewound = false
  #version = 0
  #received = 1
  #sent = 1
  #ack = 1
  #poll = 0
  // Returned states keep their frames and positions: each change makes new ones.
  #frames: readonly string[] = []
  #bytes = 0
  #holder: string | undefined
  #positions: ReadonlyMap<string, Position>
  readonly #claims = new Map<number, { owner: string; readonly text: string }>()
  #challenge: ChallengeState
  #awaited: ReadonlyMap<number, AwaitedCall> = new Map()
  /** Unanswered calls to the session, with their expiry in unix milliseconds. */
  readonly #openCalls = new Map<string, number>()
  /** The theoretical arrival time of the next message (generic cell rate algorithm), unix milliseconds. */
  #arrival = 0

  constructor({ info, positions, challengeAt }: NewBridgeSession) {
    this.info = info
    this.#positions = new Map(positions)
    this.#challenge = { nextAt: challengeAt }
  }

  /** The code with which the session has ended. */
  get ended(): string | undefined {
    return this.#ended?.code
  }

  /** False once the session has ended, or its client proved a rewind. */
  get isLive(): boolean {
    return this.#ended === undefined && !this.#isRewound
  }

  /** The instance that holds the newest poll. */
  get holder(): string | undefined {
    return this.#holder
  }

  /** Whether the session has ended and its time is over. */
  isForgotten(now: number): boolean {
    return this.#ended !== undefined && this.#ended.until <= now
  }

  /** @param now  unix milliseconds */
  exchange(request: ExchangeRequest, now: number): ExchangeOutcome {
    const { instanceId, poll, ack, isLongPoll, messages, answerBytes, perSecond } = request
    if (this.#isRewound) return { kind: 'missing', isRewound: true }
    if (this.#ended !== undefined) return { kind: 'ended', code: this.#ended.code }
    const [first] = messages
    const fresh = messages.filter(({ seq }) => seq > this.#received)
    const isNewPoll = poll > this.#poll
    if (!isNewPoll && fresh.length === 0) return { kind: 'stale' }
    // The client acknowledges a frame that this store never assigned, so the store was rewound (PROTOCOL §10.5).
    if (ack > this.#sent) {
      this.#isRewound = true
      return { kind: 'missing', isRewound: true }
    }
    if (first !== undefined && first.seq > this.#received + 1) {
      return { kind: 'gap', expectedSeq: this.#received + 1 }
    }
    const { answers } = request
    const isNext = ack === this.#sent && this.#claims.size === 0 && fresh.length === answers?.length
    if (answers !== undefined && !(isNewPoll && isNext)) return { kind: 'changed' }
    const retryAfterMs = this.#spend(fresh.length + (isNewPoll ? 1 : 0), perSecond, now)
    if (retryAfterMs > 0) return { kind: 'limited', retryAfterMs }

    for (const { seq, text } of fresh) {
      if (answers === undefined) this.#claims.set(seq, { owner: instanceId, text })
      this.#received = seq
    }
    this.#acknowledge(ack)
    if (isNewPoll) this.#poll = poll
    if (isNewPoll && isLongPoll) this.#holder = instanceId
    if (answers !== undefined) this.#append(answers)
    const claimed = answers === undefined ? fresh.length : 0
    return { kind: 'accepted', isNewPoll, claimed, state: this.state(answerBytes) }
  }

  /** The outbox is empty. */
  #append(answers: readonly string[]): void {
    this.#frames = answers
    this.#bytes = answers.reduce((sum, frame) => sum + Buffer.byteLength(frame), 0)
    this.#sent += answers.length
    this.#version++
  }

  state(answerBytes: number): BridgeState {
    return {
      version: this.#version,
      received: this.#received,
      sent: this.#sent,
      ack: this.#ack,
      frames: this.#framesWithin(answerBytes),
      positions: this.#positions,
      claims: this.#claims.size === 0 ? noClaims : this.#openClaims(),
      challenge: this.#challenge,
      awaited: this.#awaited
    }
  }

  #openClaims(): readonly Claim[] {
    const claims: Claim[] = []
    for (const [seq, { owner }] of this.#claims) claims.push({ seq, owner })
    return claims
  }

  commit(commit: BridgeCommit): CommitOutcome {
    const { instanceId, version, answered, frames, positions, challenge, maxFrames, maxBytes } = commit
    if (!this.isLive) return 'gone'
    if (this.#version !== version) return 'changed'
    if (answered.some(seq => this.#claims.get(seq)?.owner !== instanceId)) return 'changed'
    const bytes = frames.reduce((sum, frame) => sum + Buffer.byteLength(frame), this.#bytes)
    const isFull = this.#frames.length + frames.length > maxFrames || bytes > maxBytes
    if (frames.length > 0 && isFull) return 'full'
    if (commit.receives !== undefined && this.#isBusy(commit.receives)) return 'busy'
    for (const seq of answered) this.#claims.delete(seq)
    if (frames.length > 0) this.#frames = this.#frames.length === 0 ? frames : [...this.#frames, ...frames]
    this.#bytes = bytes
    this.#sent += frames.length
    if (positions.size > 0) this.#positions = changed(this.#positions, positions)
    if (commit.awaited !== undefined) this.#awaited = changed(this.#awaited, commit.awaited)
    if (commit.receives !== undefined) this.#openCalls.set(commit.receives.callId, commit.receives.expiresAt)
    for (const callId of commit.answeredCalls ?? []) this.#openCalls.delete(callId)
    if (challenge !== undefined) this.#challenge = challenge
    this.#version++
    return 'done'
  }

  takeOver(from: string, to: string): readonly ClaimedMessage[] {
    const messages: ClaimedMessage[] = []
    for (const [seq, claim] of this.#claims) {
      if (claim.owner !== from) continue
      claim.owner = to
      messages.push({ seq, text: claim.text })
    }
    return messages
  }

  /** Whether too many calls to the session are open. Expired ones are forgotten. */
  #isBusy({ now, maxOpen }: ReceivedCall): boolean {
    for (const [callId, expiresAt] of this.#openCalls) if (expiresAt <= now) this.#openCalls.delete(callId)
    return this.#openCalls.size >= maxOpen
  }

  /** @param until  end of the code's life, in unix milliseconds. @returns ids of open calls */
  end(code: string, until: number): readonly string[] {
    const openCalls = [...this.#openCalls.keys()]
    this.#openCalls.clear()
    this.#awaited = new Map()
    this.#ended = { code, until }
    this.#frames = []
    this.#positions = new Map()
    this.#claims.clear()
    return openCalls
  }

  /** @returns 0 if the rate allowed it; otherwise the milliseconds until it does */
  #spend(cost: number, perSecond: number, now: number): number {
    if (perSecond === 0) return 0
    const intervalMs = 1000 / perSecond
    const arrival = Math.max(this.#arrival, now)
    const waitMs = Math.ceil(arrival + intervalMs * cost - burstSeconds * 1000 - now)
    if (waitMs > 0 && arrival > now) return waitMs
    this.#arrival = arrival + intervalMs * cost
    return 0
  }

  #acknowledge(ack: number): void {
    if (ack <= this.#ack) return
    const count = ack - this.#ack
    for (let i = 0; i < count; i++) this.#bytes -= Buffer.byteLength(this.#frames[i] ?? '')
    this.#frames = this.#frames.slice(count)
    this.#ack = ack
  }

  #framesWithin(maxBytes: number): readonly string[] {
    return this.#bytes + this.#frames.length <= maxBytes ? this.#frames : framesWithin(this.#frames, maxBytes)
  }
}

/** A copy with some values replaced; undefined removes one. */
function changed<Key, Value>(
  before: ReadonlyMap<Key, Value>,
  changes: ReadonlyMap<Key, Value | undefined>
): ReadonlyMap<Key, Value> {
  const after = new Map(before)
  for (const [key, value] of changes) {
    if (value === undefined) after.delete(key)
    else after.set(key, value)
  }
  return after
}
