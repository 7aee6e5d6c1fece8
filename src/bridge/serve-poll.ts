import { challengeSeconds } from '../protocol/limits.js'
import type { Claim, ExchangeOutcome } from '../store/bridge.js'
import { type MaybePromise, whenEnded, whenReady } from '../store/maybe-promise.js'
import { type ExchangeAnswer, polledAnswer, supersededAnswer } from './answer.js'
import { DeliveryTicket } from './delivery.js'
import type { ExchangeContext } from './exchange.js'
import { isDue, isOverdue, sendFreshChallenge } from './fresh-challenge.js'
import type { HeldPoll } from './held-poll.js'
import type { BatchMessage, ExchangeBody } from './request.js'
import type { BridgeSession } from './session.js'
import { SessionEnded } from './session-ended.js'

/** An exchange that the store accepted: runs its messages, delivers frames, holds its poll (PROTOCOL §9.4 b to g). */

export type Accepted = Extract<ExchangeOutcome, { kind: 'accepted' }>

/** Upper bound of a `polled` with its signature and line feed, in bytes: it counts as part of the answer. */
const polledBytes = 192

/** @param holdMs how long the poll is held while no frames wait; 0: it is answered at once */
export function servePoll(
  context: ExchangeContext,
  body: ExchangeBody,
  accepted: Accepted,
  holdMs: number
): MaybePromise<ExchangeAnswer> {
  const { session } = context
  endIfDue(context, body.messages, accepted.isNewPoll)
  if (!accepted.isNewPoll || holdMs === 0) return answerPoll(context, body, accepted)
  // Supersedes the held poll on arrival (rule f), and keeps the wake reasons that come before it waits.
  const held = session.holdPoll(body.poll.poll)
  return whenEnded(
    () => answerPoll(context, body, accepted, { held, holdMs }),
    () => session.releasePoll(held)
  )
}

interface Hold {
  readonly held: HeldPoll
  readonly holdMs: number
}

function answerPoll(
  context: ExchangeContext,
  { poll: { poll }, messages }: ExchangeBody,
  { isNewPoll, claimed }: Accepted,
  hold?: Hold
): MaybePromise<ExchangeAnswer> {
  const { session } = context
  return whenReady(runMessages(context, messages, claimed, isNewPoll), () => {
    // The answer of its own `bye` is not part of this answer (rule f), so the end of the session does not replace it.
    const hasLeft = !isNewPoll && session.ending === 'bye' && messages.some(isBye)
    if (!hasLeft) session.requireLive()
    if (!isNewPoll) return supersededAnswer(session.signer, poll)
    return whenReady(bringPending(context), () => {
      const isEmpty = session.state.current.frames.length === 0 && messages.length === 0
      return isEmpty && hold !== undefined ? waitForFrames(context, hold) : compose(context, poll)
    })
  })
}

/** Ends a session that expired, did not answer a fresh challenge, or avoids one. @throws SessionEnded */
function endIfDue(
  { dependencies, session }: ExchangeContext,
  messages: ExchangeBody['messages'],
  isNewPoll: boolean
): void {
  const { now, steadyNow, isGracePeriod, settings } = dependencies
  if (now() >= session.expiresAt) session.end('SESSION_EXPIRED')
  const { challenge, claims } = session.state.current
  // Only answers to new polls contain challenges: a client that sends messages only with old polls avoids them.
  const isAvoided = !isNewPoll && isDue(challenge, steadyNow() - challengeSeconds * 1000, settings.freshChallengeMs)
  const isUnanswered =
    challenge.open !== undefined &&
    isOverdue(challenge, session.claims, steadyNow()) &&
    !messages.some(message => mayRespond(message, claims))
  if ((isUnanswered || isAvoided) && !isGracePeriod()) session.end('HEARTBEAT_LOST')
  session.requireLive()
}

/** A message that was already answered proves nothing: only a message that still has its claim can be the response. */
function mayRespond(message: BatchMessage, claims: readonly Claim[]): boolean {
  return answersChallenge(message) && claims.some(({ seq }) => seq === message.seq)
}

function isBye({ decoded }: BatchMessage): boolean {
  return 'message' in decoded && decoded.message.type === 'bye'
}

function answersChallenge({ decoded }: BatchMessage): boolean {
  return 'message' in decoded && decoded.message.type === 'challengeResponse'
}

/** Enqueues the claimed messages and waits until all messages of the body are answered, for a limited time. */
function runMessages(
  context: ExchangeContext,
  messages: ExchangeBody['messages'],
  claimed: number,
  isNewPoll: boolean
): MaybePromise<void> {
  const { session } = context
  const ticket = claimed === 0 ? undefined : new DeliveryTicket(isNewPoll)
  if (claimed > 0) session.processor.enqueue(messages.slice(-claimed), ticket)
  session.processor.watchClaims()
  return whenReady(isWaiting(session, messages) ? untilAnswered(context, messages, ticket) : undefined, () =>
    ticket?.close()
  )
}

/** Whether messages of a body have no answer yet. */
function isWaiting({ ending, state }: BridgeSession, messages: ExchangeBody['messages']): boolean {
  const first = messages[0]?.seq ?? Number.POSITIVE_INFINITY
  const isOfBody = (seq: number) => seq >= first && seq < first + messages.length
  return ending === undefined && state.current.claims.some(({ seq }) => isOfBody(seq))
}

async function untilAnswered(
  { settings, session, onDisconnect }: ExchangeContext,
  messages: ExchangeBody['messages'],
  ticket: DeliveryTicket | undefined
): Promise<void> {
  if (ticket !== undefined) onDisconnect(() => ticket.close())
  const until = performance.now() + settings.answerWithinMs
  while (isWaiting(session, messages)) {
    const leftMs = until - performance.now()
    if (leftMs <= 0) break
    await session.state.changed(leftMs)
  }
}

function isChallengeDue({ dependencies, session }: ExchangeContext): boolean {
  return isDue(session.state.current.challenge, dependencies.steadyNow(), dependencies.settings.freshChallengeMs)
}

/** Commits pending publications, the next fresh challenge and outcomes of calls, each when there is one. */
function bringPending(context: ExchangeContext): MaybePromise<void> {
  const { session } = context
  const isDelivering = session.outbox.mayHavePublications || isChallengeDue(context)
  return whenReady(isDelivering ? deliver(context) : undefined, () => session.calls.bringDue(session))
}

async function deliver(context: ExchangeContext): Promise<void> {
  const { dependencies, session } = context
  await session.outbox.deliver()
  if (isChallengeDue(context)) await sendFreshChallenge(dependencies, session)
  session.requireLive()
}

/** The waiting frames from the first on, as many as fit, at least one (PROTOCOL §9.4 e). */
function compose({ dependencies, session }: ExchangeContext, poll: number): ExchangeAnswer {
  const { frames, sent, ack } = session.state.current
  let bytesLeft = dependencies.settings.limits.answerBytes - polledBytes
  const included = frames.filter((frame, i) => {
    bytesLeft -= Buffer.byteLength(frame) + 1
    return bytesLeft >= 0 || i === 0
  })
  const more = session.outbox.hasMore || included.length < sent - ack
  const answer = polledAnswer(session.signer, included, { re: poll, more, superseded: false })
  session.answerComposed()
  return answer
}

/** Reasons with committed frames; the others only require a check of the channels. */
const bringsFrames: ReadonlySet<string> = new Set(['frames', 'call', 'outcomes'])

/** Holds the poll until frames wait for it, it times out, or it is terminated. */
async function waitForFrames(context: ExchangeContext, { held, holdMs }: Hold): Promise<ExchangeAnswer> {
  const { dependencies, settings, session, onDisconnect } = context
  const { state } = session
  onDisconnect(() => held.wake('disconnected'))
  const until = performance.now() + holdMs
  const { pacer } = session.outbox
  const watch = () => held.watch(dependencies.channels, state.current.positions, channel => pacer.waitMs(channel))
  watch()
  for (;;) {
    const leftMs = Math.max(0, until - performance.now())
    const outcomeInMs = Math.max(0, session.calls.nextDeadline(state.current) - dependencies.steadyNow())
    const woken = await held.next(Math.min(leftMs, outcomeInMs))
    const reason = woken === 'timeout' && outcomeInMs < leftMs ? 'outcomes' : woken
    switch (reason) {
      case 'superseded':
        return supersededAnswer(session.signer, held.poll)
      case 'ended':
        throw new SessionEnded(session.ending)
      case 'timeout':
      case 'disconnected':
      case 'draining':
        return compose(context, held.poll)
      case 'outcomes':
        // Another instance may have committed them meanwhile.
        await state.reload()
        await session.calls.bringDue(session)
        break
      case 'call':
        await state.reload()
        break
      case 'frames':
      case 'channels':
        await held.linger(settings.lingerMs)
        await state.reload()
        break
      case 'publications':
        await held.linger(settings.lingerMs)
    }
    if (held.isTerminated) continue
    const count = await session.outbox.deliver()
    const hasFrames = bringsFrames.has(reason) && state.current.frames.length > 0
    if (count > 0 || hasFrames) return compose(context, held.poll)
    watch()
  }
}
