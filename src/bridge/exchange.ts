import type { Socket } from 'node:net'
import type { AddressLimiter } from '../auth/address-limiter.js'
import { markVerified } from '../http/unverified-sockets.js'
import type { RepeatedEvents } from '../log/repeated-events.js'
import { type CodeName, codes } from '../protocol/codes.js'
import { retryAfterMs } from '../protocol/retry.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { type MaybePromise, recoverFrom, whenEnded, whenReady } from '../store/maybe-promise.js'
import { StoreUnavailable } from '../store/store.js'
import { type ExchangeAnswer, type RefusalParams, refusedAnswer, supersededAnswer, unsignedAnswer } from './answer.js'
import { exchangeInStore, type StepOutcome } from './exchange-step.js'
import { type ExchangeBody, RefusedBody, readExchange } from './request.js'
import { type Accepted, servePoll } from './serve-poll.js'
import type { BridgeSession } from './session.js'
import { SessionEnded } from './session-ended.js'
import { type BridgeSettings, drainMaxHoldMs, maxExchangesInFlight, reconnectSpreadMs } from './settings.js'

/** Everything about an exchange besides its body. */
export interface ExchangeContext {
  readonly dependencies: SessionDependencies
  readonly settings: BridgeSettings
  readonly session: BridgeSession
  readonly lifecycle: InstanceLifecycle
  /** Counts unverified requests. */
  readonly unverified: AddressLimiter
  /** Bounds the log lines about refused exchanges. */
  readonly refused: RepeatedEvents
  readonly address: string
  /** Counts as verified once the exchange is. */
  readonly socket: Socket
  /** Calls `listener` when the client disconnects before its answer. */
  readonly onDisconnect: (listener: () => void) => void
}

/** The progress of this instance's shutdown; read at the moment of a decision. */
export interface InstanceLifecycle {
  /** Polls are held only briefly, so that clients move to another instance. */
  readonly isDraining: boolean
  /** Exchanges are refused. */
  readonly isClosing: boolean
}

/** Answers the body of an exchange (PROTOCOL §9.4). Fails only on internal errors. */
export function exchange(context: ExchangeContext, body: Uint8Array): MaybePromise<ExchangeAnswer> {
  const { activity } = context.session
  let poll: number | undefined
  activity.beginExchange()
  return whenEnded(
    () =>
      recoverFrom(
        () => {
          const read = readExchange(context.session.verifier, body, context.dependencies.settings.limits)
          poll = read.poll.poll
          return answerVerified(context, body, read)
        },
        error => answerError(context, error, poll)
      ),
    () => activity.finishExchange()
  )
}

function answerVerified(context: ExchangeContext, body: Uint8Array, read: ExchangeBody): MaybePromise<ExchangeAnswer> {
  const { dependencies, session, lifecycle } = context
  const { poll } = read.poll
  markVerified(context.socket)
  session.activity.counter.received(body.length, read.messages.length + 1)
  if (lifecycle.isClosing) return refuse(context, { code: 'DRAINING', poll, retryAfterMs })
  if (session.activity.inFlight > maxExchangesInFlight) {
    dependencies.boundedLog.floods.record(session.peer)
    const message = `a session has at most ${maxExchangesInFlight} exchanges in flight`
    return refuse(context, { code: 'RATE_LIMITED', poll, message, retryAfterMs })
  }
  return accept(context, read)
}

function refuse({ dependencies, session }: ExchangeContext, params: RefusalParams): ExchangeAnswer {
  dependencies.observer.refused(params.code)
  if (params.poll !== undefined) session.activity.counter.refused()
  return refusedAnswer(session.signer, params)
}

function answerError(context: ExchangeContext, error: unknown, poll: number | undefined): ExchangeAnswer {
  const { dependencies, session } = context
  if (error instanceof RefusedBody) return refuseBody(context, error)
  if (error instanceof SessionEnded) {
    if (error.ending === undefined) return unsignedAnswer('SESSION_NOT_FOUND')
    session.markEnded(error.ending)
    return endedAnswer(context, error.ending, poll)
  }
  if (error instanceof StoreUnavailable) {
    dependencies.boundedLog.storeFailed('exchanges', error)
    return refuse(context, { code: 'UNAVAILABLE', poll, retryAfterMs, outcome: error.outcome })
  }
  throw error
}

function refuseBody(context: ExchangeContext, { reason, poll }: RefusedBody): ExchangeAnswer {
  const { dependencies, session, unverified, refused, address } = context
  const { code, message } = reason
  refused.record(`exchange ${code}`, () => session.log.info({ code, reason: message, poll }, 'exchange refused'))
  if (poll === undefined) {
    const waitMs = unverified.retryAfterMs(address)
    unverified.count(address)
    if (waitMs > 0) {
      dependencies.boundedLog.floods.record({ remoteAddress: address })
      return unsignedAnswer('RATE_LIMITED', waitMs)
    }
  }
  return refuse(context, { code, message, poll })
}

/** 410 with the reason (PROTOCOL §5.2). `bye` has no code of its own and is reported as an expired session. */
function endedAnswer(context: ExchangeContext, ending: string, poll: number | undefined): ExchangeAnswer {
  const code = Object.hasOwn(codes, ending) ? (ending as CodeName) : 'SESSION_EXPIRED'
  if (code === 'SESSION_NOT_FOUND') return unsignedAnswer(code)
  return refuse(context, { code, poll, ...(ending === 'bye' ? { message: 'the session ended with bye' } : {}) })
}

/** The exchange's step in the store, then its answer. */
function accept(context: ExchangeContext, body: ExchangeBody): MaybePromise<ExchangeAnswer> {
  const { dependencies, session } = context
  session.beginExchange()
  return whenReady(exchangeInStore(dependencies, session, body), outcome =>
    outcome.kind === 'accepted' ? serve(context, body, outcome) : refuseStep(context, body.poll.poll, outcome)
  )
}

function refuseStep(
  context: ExchangeContext,
  poll: number,
  outcome: Exclude<StepOutcome, { kind: 'accepted' }>
): ExchangeAnswer {
  const { dependencies, session } = context
  switch (outcome.kind) {
    case 'missing':
      if (outcome.isRewound) session.end('SESSION_NOT_FOUND')
      else session.markEnded('SESSION_NOT_FOUND')
      // A rewound store has lost all sessions at once: their clients reconnect spread over time (PROTOCOL §5.3).
      return unsignedAnswer('SESSION_NOT_FOUND', outcome.isRewound ? Math.random() * reconnectSpreadMs : undefined)
    case 'ended':
      throw new SessionEnded(outcome.code)
    case 'gap':
      return refuse(context, { code: 'SEQUENCE_INVALID', poll, expectedSeq: outcome.expectedSeq })
    case 'limited':
      dependencies.boundedLog.floods.record(session.peer)
      return refuse(context, { code: 'RATE_LIMITED', poll, retryAfterMs: outcome.retryAfterMs })
    case 'stale':
      return supersededAnswer(session.signer, poll)
  }
}

/** The session is alive for as long as the exchange is served. */
function serve(context: ExchangeContext, body: ExchangeBody, accepted: Accepted): MaybePromise<ExchangeAnswer> {
  const { dependencies, session, lifecycle } = context
  const waitMs = Math.min(body.poll.wait, dependencies.settings.limits.waitMax) * 1000
  session.state.apply(accepted.state)
  session.activity.beginServing()
  const holdMs = lifecycle.isDraining ? Math.min(waitMs, drainMaxHoldMs) : waitMs
  return whenEnded(
    () =>
      recoverFrom(
        () => servePoll(context, body, accepted, holdMs),
        error => {
          // The messages are claimed: whichever call failed, they may have run.
          throw error instanceof StoreUnavailable ? new StoreUnavailable(error.cause, 'unknown') : error
        }
      ),
    () => session.activity.finishServing(dependencies.steadyNow())
  )
}
