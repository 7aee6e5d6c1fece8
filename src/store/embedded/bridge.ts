import {
  type BridgeListener,
  type BridgeNotification,
  type BridgeState,
  type BridgeStore,
  burstSeconds,
  type ChallengeState,
  type Claim,
  type ExchangeRequest
} from '../bridge.js'
import type { Position } from '../channels.js'
import { StoreUnavailable } from '../store.js'

/** Sessions of the bridge that are kept at one time, those that are over included. At the bound new ones are refused. */
export const maxKeptBridgeSessions = 200_000

interface Kept {
  readonly info: string
  ended?: { readonly code: string; readonly until: number }
  version: number
  received: number
  sent: number
  ack: number
  poll: number
  // Frames and positions are shown to others as they are: a change makes a new one.
  frames: readonly string[]
  bytes: number
  holder?: string
  positions: ReadonlyMap<string, Position>
  readonly claims: Map<number, { owner: string; readonly text: string }>
  challenge: ChallengeState
  /** The theoretical arrival time of the next message (generic cell rate algorithm). */
  arrival: number
}

const noClaims: readonly Claim[] = []

/** The frames from the first on that fit in so many bytes, but one at least. */
function fitting({ frames, bytes: all }: Kept, bytes: number): readonly string[] {
  if (all + frames.length <= bytes) return frames
  let room = bytes
  for (const [i, frame] of frames.entries()) {
    room -= Buffer.byteLength(frame) + 1
    if (room < 0 && i > 0) return frames.slice(0, i)
  }
  return frames
}

/** The bridge's sessions in memory, for one process. A restart forgets them: their clients open new ones. */
export function createEmbeddedBridge(now: () => number): BridgeStore {
  const sessions = new Map<string, Kept>()
  const listeners = new Map<string, BridgeListener>()

  function tell(instanceId: string | undefined, sessionId: string, word: BridgeNotification): void {
    if (instanceId !== undefined) listeners.get(instanceId)?.notification(sessionId, word)
  }

  function find(sessionId: string): Kept | undefined {
    const kept = sessions.get(sessionId)
    if (kept?.ended === undefined || kept.ended.until > now()) return kept
    sessions.delete(sessionId)
    return undefined
  }

  function forgetEnded(): void {
    for (const sessionId of sessions.keys()) find(sessionId)
  }

  function stateOf(kept: Kept, answerBytes: number): BridgeState {
    const { version, received, sent, ack, positions, challenge } = kept
    return {
      version,
      received,
      sent,
      ack,
      frames: fitting(kept, answerBytes),
      positions,
      claims: kept.claims.size === 0 ? noClaims : Array.from(kept.claims, ([seq, { owner }]) => ({ seq, owner })),
      challenge
    }
  }

  /** @returns 0 when there was room, else how long until there is */
  function spend(kept: Kept, cost: number, perSecond: number): number {
    if (perSecond === 0) return 0
    const intervalMs = 1000 / perSecond
    const arrival = Math.max(kept.arrival, now())
    const waitMs = Math.ceil(arrival + intervalMs * cost - burstSeconds * 1000 - now())
    if (waitMs > 0 && arrival > now()) return waitMs
    kept.arrival = arrival + intervalMs * cost
    return 0
  }

  function acknowledge(kept: Kept, ack: number): void {
    if (ack <= kept.ack) return
    const count = ack - kept.ack
    for (let i = 0; i < count; i++) kept.bytes -= Buffer.byteLength(kept.frames[i] ?? '')
    kept.frames = kept.frames.slice(count)
    kept.ack = ack
  }

  return {
    async open({ sessionId, info, positions, challengeAt }) {
      if (sessions.size >= maxKeptBridgeSessions) forgetEnded()
      if (sessions.size >= maxKeptBridgeSessions)
        throw new StoreUnavailable(new Error('too many sessions of the bridge'), 'unsent')
      sessions.set(sessionId, {
        ...{ info, version: 0, received: 1, sent: 1, ack: 1, poll: 0, frames: [], bytes: 0, arrival: 0 },
        positions: new Map(positions),
        claims: new Map(),
        challenge: { nextAt: challengeAt }
      })
    },

    async info(sessionId) {
      const kept = find(sessionId)
      if (kept === undefined) return undefined
      return { info: kept.info, ...(kept.ended === undefined ? {} : { ended: kept.ended.code }) }
    },

    async exchange(request: ExchangeRequest) {
      const { sessionId, instanceId, poll, ack, isLongPoll, messages, answerBytes, perSecond } = request
      const kept = find(sessionId)
      if (kept === undefined) return { kind: 'missing', isRewound: false }
      if (kept.ended !== undefined) return { kind: 'ended', code: kept.ended.code }
      const [first] = messages
      const fresh = messages.filter(({ seq }) => seq > kept.received)
      const isNewPoll = poll > kept.poll
      if (!isNewPoll && fresh.length === 0) return { kind: 'stale' }
      // More was acknowledged than was given out: this is not the store in which it was (PROTOCOL §10.5).
      if (ack > kept.sent) {
        sessions.delete(sessionId)
        return { kind: 'missing', isRewound: true }
      }
      if (first !== undefined && first.seq > kept.received + 1) {
        return { kind: 'gap', expectedSeq: kept.received + 1 }
      }
      const retryAfterMs = spend(kept, fresh.length + (isNewPoll ? 1 : 0), perSecond)
      if (retryAfterMs > 0) return { kind: 'limited', retryAfterMs }

      for (const { seq, text } of fresh) {
        kept.claims.set(seq, { owner: instanceId, text })
        kept.received = seq
      }
      acknowledge(kept, ack)
      if (isNewPoll) kept.poll = poll
      if (isNewPoll && isLongPoll) kept.holder = instanceId
      return { kind: 'accepted', isNewPoll, claimed: fresh.length, state: stateOf(kept, answerBytes) }
    },

    async read(sessionId, answerBytes) {
      const kept = find(sessionId)
      return kept === undefined || kept.ended !== undefined ? undefined : stateOf(kept, answerBytes)
    },

    async commit(commit) {
      const { sessionId, instanceId, version, answered, frames, positions, challenge, notify: word } = commit
      const kept = find(sessionId)
      if (kept === undefined || kept.ended !== undefined) return 'gone'
      if (kept.version !== version) return 'changed'
      if (answered.some(seq => kept.claims.get(seq)?.owner !== instanceId)) return 'changed'
      const bytes = frames.reduce((sum, frame) => sum + Buffer.byteLength(frame), kept.bytes)
      if (frames.length > 0 && (kept.frames.length + frames.length > commit.maxFrames || bytes > commit.maxBytes)) {
        return 'full'
      }
      for (const seq of answered) kept.claims.delete(seq)
      if (frames.length > 0) kept.frames = kept.frames.length === 0 ? frames : [...kept.frames, ...frames]
      kept.bytes = bytes
      kept.sent += frames.length
      if (positions.size > 0) {
        const moved = new Map(kept.positions)
        for (const [channel, position] of positions) {
          if (position === undefined) moved.delete(channel)
          else moved.set(channel, position)
        }
        kept.positions = moved
      }
      if (challenge !== undefined) kept.challenge = challenge
      kept.version++
      if (word !== undefined && kept.holder !== instanceId) tell(kept.holder, sessionId, word)
      return 'done'
    },

    async takeOver(sessionId, from, to) {
      const taken: { seq: number; text: string }[] = []
      for (const [seq, claim] of find(sessionId)?.claims ?? []) {
        if (claim.owner !== from) continue
        claim.owner = to
        taken.push({ seq, text: claim.text })
      }
      return taken
    },

    async end(sessionId, code, keptMs) {
      const kept = find(sessionId)
      if (kept === undefined) return undefined
      if (kept.ended !== undefined) return kept.ended.code
      kept.ended = { code, until: now() + keptMs }
      kept.frames = []
      kept.positions = new Map()
      kept.claims.clear()
      tell(kept.holder, sessionId, 'ended')
      return code
    },

    async heartbeat() {},
    // There is one instance: whoever asks.
    isAlive: async instanceId => listeners.has(instanceId),
    listen(instanceId, listener) {
      listeners.set(instanceId, listener)
      return () => void listeners.delete(instanceId)
    }
  }
}
