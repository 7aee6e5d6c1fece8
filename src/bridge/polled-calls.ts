import { CallOrder } from '../calls/call-order.js'
import type { CallReceivers, Delivered, OutcomeReceivers } from '../calls/carrier.js'
import type { IncomingCall } from '../calls/mailbox.js'
import { type CallOutcome, outcomeMessage } from '../calls/outcome.js'
import type { CallRequest } from '../calls/request.js'
import { reportBackgroundFailure } from '../session/background-failure.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { callFrame } from '../session/live-calls.js'
import type { BridgeState } from '../store/bridge.js'
import type { MaybePromise } from '../store/maybe-promise.js'
import { emptyCommit, type PendingCommit } from './pending-commit.js'
import type { BridgeSession } from './session.js'
import { SessionEnded } from './session-ended.js'

/** A call that was registered by a commit of its session, and can now be sent. */
export interface RegisteredCall {
  readonly seq: number
  readonly request: CallRequest
}

/** Delivery of calls and outcomes: nothing else has to share the answer. */
const atOnce = { delivery: 'wakeHeldPoll', withPublications: false, ifFull: 'refuse', urgent: true } as const

/**
 * Calls of bridge sessions. The stored session has each awaited and each unanswered call, so any instance can deliver
 * the outcome and declare the timeout.
 */
export class PolledCalls implements CallReceivers, OutcomeReceivers {
  readonly #dependencies: SessionDependencies
  readonly #find: (sessionId: string) => Promise<BridgeSession | undefined>
  readonly #orders = new WeakMap<BridgeSession, CallOrder>()

  /** @param find  loads a session, whichever instance serves it */
  constructor(dependencies: SessionDependencies, find: (sessionId: string) => Promise<BridgeSession | undefined>) {
    this.#dependencies = dependencies
    this.#find = find
  }

  async deliver({ sessionId, callId, from, method, data, expiresAt }: IncomingCall): Promise<Delivered> {
    const { settings, steadyNow } = this.#dependencies
    const session = await this.#find(sessionId)
    if (session === undefined || session.ending !== undefined) return 'missing'
    const frame = callFrame({ callId, ...(from === undefined ? {} : { from }), method, expiresAt }, data)
    const receives = { callId, expiresAt, now: steadyNow(), maxOpen: settings.limits.openCalls }
    try {
      const committed = await session.outbox.commit({ ...emptyCommit, outgoing: [frame], receives }, atOnce)
      return typeof committed === 'number' ? 'delivered' : 'full'
    } catch (error) {
      if (!(error instanceof SessionEnded)) throw error
      return 'missing'
    }
  }

  /** Sends calls that their session now awaits, in order. */
  dispatch(session: BridgeSession, calls: readonly RegisteredCall[]): void {
    const order = this.#orders.get(session) ?? new CallOrder()
    this.#orders.set(session, order)
    for (const { seq, request } of calls) {
      this.#dispatch(order, session, seq, request).catch((error: unknown) => this.#report(session, error))
    }
  }

  async #dispatch(order: CallOrder, session: BridgeSession, seq: number, request: CallRequest): Promise<void> {
    const { sessionId } = session.peer
    const { calls } = this.#dependencies
    const outcome = await order.run(() => calls.dispatch(request, { kind: 'session', sessionId, re: seq }))
    if (outcome !== undefined) await this.#bring(session, seq, outcome)
  }

  #report(session: BridgeSession, error: unknown): void {
    if (error instanceof SessionEnded) return
    reportBackgroundFailure(this.#dependencies, 'calls', error, session.log, 'could not bring the outcome of a call')
  }

  async deliverOutcome(sessionId: string, re: number, outcome: CallOutcome): Promise<void> {
    const session = await this.#find(sessionId)
    if (session === undefined || session.ending !== undefined) return
    try {
      await this.#bring(session, re, outcome)
    } catch (error) {
      if (!(error instanceof SessionEnded)) throw error
    }
  }

  /** @throws SessionEnded, StoreUnavailable */
  async #bring(session: BridgeSession, re: number, outcome: CallOutcome): Promise<void> {
    const bringing = ({ awaited }: BridgeState): PendingCommit | undefined =>
      awaited.has(re)
        ? { ...emptyCommit, outgoing: [outcomeMessage(re, outcome)], awaited: new Map([[re, undefined]]) }
        : undefined
    if ((await session.outbox.commit(bringing, atOnce)) !== 'full') return
    await session.outbox.commit(({ awaited }) => {
      const call = awaited.get(re)
      return call === undefined ? undefined : { ...emptyCommit, awaited: new Map([[re, { ...call, deadline: 0 }]]) }
    }, atOnce)
  }

  /** Latest time for the session to get the outcome of a call, in unix milliseconds. */
  nextDeadline({ awaited }: BridgeState): number {
    let next = Number.POSITIVE_INFINITY
    for (const { deadline } of awaited.values()) if (deadline > 0) next = Math.min(next, deadline)
    return next
  }

  /** Delivers due outcomes, and those that did not fit before. @throws SessionEnded, StoreUnavailable */
  bringDue(session: BridgeSession): MaybePromise<void> {
    return session.state.current.awaited.size === 0 ? undefined : this.#bringDue(session)
  }

  async #bringDue(session: BridgeSession): Promise<void> {
    const now = this.#dependencies.steadyNow()
    for (const [re, call] of session.state.current.awaited) {
      if (call.deadline > now) continue
      await this.#bring(session, re, await this.#dependencies.calls.outcomeOf(call))
    }
  }
}
