import type { CodeName } from '../protocol/codes.js'
import { codes } from '../protocol/codes.js'
import type { SessionDependencies } from '../session/dependencies.js'
import type { ExchangeOutcome } from '../store/bridge.js'
import { StoreUnavailable } from '../store/store.js'
import { type ExchangeAnswer, polledAnswer, refusedAnswer, unsignedAnswer } from './answer.js'
import { isDue, isOverdue, issueFreshChallenge } from './challenge.js'
import { SessionEnded } from './ending.js'
import type { HeldPoll } from './held-poll.js'
import type { MessageProcessor } from './message-processor.js'
import { type ExchangeBody, RefusedBody, readExchange } from './request.js'
import type { BridgeSession } from './session.js'
import { type BridgeSettings, drainHoldMs, herdSpreadMs, maxInFlight } from './settings.js'

/** One exchange (PROTOCOL §9.4), from its body to its answer. */

/** How long a peer should wait after UNAVAILABLE or too many exchanges, in milliseconds. */
const retryAfterMs = 1000

/** A `polled` with the largest number, its signature and its line end have fewer bytes: they count as the answer's too. */
const polledBytes = 192

export interface ExchangeContext {
  readonly dependencies: SessionDependencies
  readonly settings: BridgeSettings
  readonly session: BridgeSession
  readonly worker: MessageProcessor
  readonly isDraining: () => boolean
  /** Calls `listener` when the requester is gone before its answer. */
  readonly onGone: (listener: () => void) => void
  /** Counts a body that did not verify. @returns how long its address has to wait, where it has sent too many */
  readonly onForeign: () => number | undefined
}

type Taken = ExchangeOutcome & { readonly kind: 'accepted' }

/** Answers the body of an exchange. It does not reject but for faults of ours. */
export async function exchange(context: ExchangeContext, body: Uint8Array): Promise<ExchangeAnswer> {
  const { dependencies, session } = context
  let poll: number | undefined
  session.inFlight++
  try {
    const read = readExchange(session.verifier, body, dependencies.settings.limits)
    poll = read.poll.poll
    if (session.inFlight > maxInFlight) {
      const message = `at most ${maxInFlight} exchanges of a session at one time`
      return refuse(context, { code: 'RATE_LIMITED', poll, message, retryAfterMs })
    }
    return await take(context, read)
  } catch (error) {
    return answerTo(context, error, poll)
  } finally {
    session.inFlight--
  }
}

function refuse(
  { dependencies, session }: ExchangeContext,
  facts: Parameters<typeof refusedAnswer>[1]
): ExchangeAnswer {
  dependencies.observer.refused(facts.code)
  return refusedAnswer(session.signer, facts)
}

/** What is told of an error; the session's own end among them. */
function answerTo(context: ExchangeContext, error: unknown, poll: number | undefined): ExchangeAnswer {
  const { session } = context
  if (error instanceof RefusedBody) {
    const { code, message } = error.fault
    session.log.info({ code, reason: message, poll: error.poll }, 'an exchange was refused')
    const waitMs = error.poll === undefined ? context.onForeign() : undefined
    if (waitMs !== undefined) return unsignedAnswer('RATE_LIMITED', waitMs)
    return refuse(context, { code, message, poll: error.poll })
  }
  if (error instanceof SessionEnded) {
    if (error.ending === undefined) return unsignedAnswer('SESSION_NOT_FOUND')
    session.over(error.ending)
    return endedAnswer(context, error.ending, poll)
  }
  if (error instanceof StoreUnavailable) {
    session.log.warn({ err: error.cause }, 'the store does not answer')
    return refuse(context, { code: 'UNAVAILABLE', poll, retryAfterMs })
  }
  throw error
}

/** 410, and why (PROTOCOL §5.2). A `bye` has no code of its own: the session has come to its end. */
export function endedAnswer(context: ExchangeContext, ending: string, poll: number | undefined): ExchangeAnswer {
  const code = Object.hasOwn(codes, ending) ? (ending as CodeName) : 'SESSION_EXPIRED'
  if (code === 'SESSION_NOT_FOUND') return unsignedAnswer(code)
  return refuse(context, { code, poll, ...(ending === 'bye' ? { message: 'the session has said bye' } : {}) })
}

async function take(context: ExchangeContext, { poll, messages }: ExchangeBody): Promise<ExchangeAnswer> {
  const { dependencies, session, isDraining } = context
  const { store, settings } = dependencies
  const waitMs = Math.min(poll.wait, settings.limits.waitMax) * 1000
  const outcome = await store.bridge.exchange({
    sessionId: session.peer.sessionId,
    instanceId: settings.instanceId,
    poll: poll.poll,
    ack: poll.ack,
    isLongPoll: waitMs > 0,
    messages,
    answerBytes: settings.limits.answerBytes,
    perSecond: settings.framesPerSecond
  })
  switch (outcome.kind) {
    case 'missing':
      session.over('SESSION_NOT_FOUND')
      // All sessions are gone at once: their clients come back spread over a while (PROTOCOL §5.3, retry-after).
      return unsignedAnswer('SESSION_NOT_FOUND', outcome.isRewound ? Math.random() * herdSpreadMs : undefined)
    case 'ended':
      throw new SessionEnded(outcome.code)
    case 'gap':
      return refuse(context, { code: 'SEQUENCE_INVALID', poll: poll.poll, expectedSeq: outcome.expectedSeq })
    case 'limited':
      return refuse(context, { code: 'RATE_LIMITED', poll: poll.poll, retryAfterMs: outcome.retryAfterMs })
    case 'stale':
      return polledAnswer(session.signer, [], { re: poll.poll, more: false, superseded: true })
    case 'accepted':
      session.adopt(outcome.state)
      session.serving++
      try {
        return await serve(context, { poll, messages }, outcome, isDraining() ? Math.min(waitMs, drainHoldMs) : waitMs)
      } finally {
        // The time-out runs from the writing of the answer; what brought nothing new was no sign of life (PROTOCOL §6.1, §5.2).
        session.serving--
        session.lastSeenAt = dependencies.now()
      }
  }
}

async function serve(
  context: ExchangeContext,
  { poll, messages }: ExchangeBody,
  { isNewPoll, claimed }: Taken,
  waitMs: number
): Promise<ExchangeAnswer> {
  const { dependencies, session } = context
  if (dependencies.now() >= session.expiresAt) session.end('SESSION_EXPIRED')
  const answersChallenge = messages.some(
    ({ decoded }) => 'message' in decoded && decoded.message.type === 'challengeResponse'
  )
  if (isOverdue(session.state.challenge, dependencies.now()) && !answersChallenge) session.end('HEARTBEAT_LOST')
  if (session.ending !== undefined) throw new SessionEnded(session.ending)

  // Rule (f): its place is taken on arrival, and words for it are kept from now on.
  const hold = isNewPoll && waitMs > 0 ? session.hold(poll.poll) : undefined
  try {
    await runMessages(context, messages, claimed, isNewPoll)
    if (session.ending !== undefined) throw new SessionEnded(session.ending)
    // The frames of what an old poll brought come with another one, which is not disturbed until they are there.
    if (!isNewPoll) return polledAnswer(session.signer, [], { re: poll.poll, more: false, superseded: true })
    if (session.mayHaveNews || isChallengeDue(context)) await deliver(context)
    else session.hasMore = false
    if (session.state.frames.length > 0 || messages.length > 0 || hold === undefined) return compose(context, poll.poll)
    return await wait(context, hold, waitMs)
  } finally {
    if (hold !== undefined) session.letGo(hold)
  }
}

/** Rules (b) to (d): what is new runs, what was seen is waited for. */
async function runMessages(
  context: ExchangeContext,
  messages: ExchangeBody['messages'],
  claimed: number,
  isNewPoll: boolean
): Promise<void> {
  const { settings, session, worker, onGone } = context
  let waits = messages.length > 0
  if (claimed > 0) {
    onGone(() => {
      waits = false
    })
    worker.take(messages.slice(-claimed), () => waits && isNewPoll)
  }
  worker.guard()
  if (!waits) return
  const seqs = new Set(messages.map(({ seq }) => seq))
  const until = performance.now() + settings.answerWithinMs
  while (session.ending === undefined && session.state.claims.some(({ seq }) => seqs.has(seq))) {
    const leftMs = until - performance.now()
    if (leftMs <= 0) break
    await session.changed(leftMs)
  }
  waits = false
}

function isChallengeDue({ dependencies, session }: ExchangeContext): boolean {
  return isDue(session.state.challenge, dependencies.now(), dependencies.settings.freshChallengeMs)
}

/** Brings down what lies after the session's positions, and the next fresh challenge when it is due. */
async function deliver(context: ExchangeContext): Promise<void> {
  const { dependencies, session } = context
  await session.deliver()
  if (isChallengeDue(context)) await issueFreshChallenge(dependencies, session)
  if (session.ending !== undefined) throw new SessionEnded(session.ending)
}

/** The answer: what waits, from the first on, as much as fits (PROTOCOL §9.4 e). */
function compose({ dependencies, session }: ExchangeContext, poll: number): ExchangeAnswer {
  const { frames, sent, ack } = session.state
  let room = dependencies.settings.limits.answerBytes - polledBytes
  const carried = frames.filter((frame, i) => {
    room -= Buffer.byteLength(frame) + 1
    return room >= 0 || i === 0
  })
  const more = session.hasMore || carried.length < sent - ack
  const answer = polledAnswer(session.signer, carried, { re: poll, more, superseded: false })
  if (session.saidBye) session.end('bye')
  return answer
}

/** Holds the poll until there is something for it. */
async function wait(context: ExchangeContext, hold: HeldPoll, waitMs: number): Promise<ExchangeAnswer> {
  const { dependencies, settings, session, onGone } = context
  onGone(() => hold.wake('lost'))
  const until = performance.now() + waitMs
  hold.watch(dependencies.channels, session.state.positions)
  for (;;) {
    const waking = await hold.next(Math.max(0, until - performance.now()))
    switch (waking) {
      case 'superseded':
        return polledAnswer(session.signer, [], { re: hold.poll, more: false, superseded: true })
      case 'ended':
        throw new SessionEnded(session.ending)
      case 'time':
      case 'lost':
      case 'draining':
        return compose(context, hold.poll)
      case 'frames':
      case 'channels':
        await hold.linger(settings.lingerMs)
        await session.reload()
        break
      case 'news':
        await hold.linger(settings.lingerMs)
    }
    if (hold.isOver) continue
    const count = await session.deliver()
    if (count > 0 || (waking === 'frames' && session.state.frames.length > 0)) return compose(context, hold.poll)
    hold.watch(dependencies.channels, session.state.positions)
  }
}
