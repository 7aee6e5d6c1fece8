import type { SettledCall, WantedCall } from '../store/calls.js'
import { firstOwnerOf } from '../store/owners.js'
import { type StoreBound, StoreUnavailable } from '../store/store.js'
import { type CallMac, splitCallId } from './call-id.js'
import type { CallOrder } from './call-order.js'
import { CallCarrier, type CallReceivers, type OutcomeReceivers } from './carrier.js'
import { CallDispatcher, type DispatcherOptions, resultLifeMs } from './dispatcher.js'
import { readOutcome, writeOutcome } from './mailbox.js'
import { type CallOutcome, expectedOutcome, failed, refusalOf, timedOut } from './outcome.js'
import { maxPendingCalls, PendingCalls } from './pending-calls.js'
import type { CallRequest } from './request.js'
import type { Waiter } from './waiter.js'

export interface CallRouterOptions extends DispatcherOptions {
  readonly instanceId: string
  readonly isAlive: (instanceId: string) => Promise<boolean>
}

/** Brings calls to their receivers, and outcomes to their callers, on any instance (PROTOCOL §16). */
export class CallRouter {
  readonly #options: CallRouterOptions
  readonly #pending = new PendingCalls()
  readonly #carrier: CallCarrier
  readonly #dispatcher: CallDispatcher
  readonly #stopListening: () => void

  constructor(options: CallRouterOptions) {
    this.#options = options
    this.#carrier = new CallCarrier({
      ...options,
      pending: this.#pending,
      onRefused: ({ callId, reply }, delivered) =>
        reply === undefined ? this.#drop(callId, refusalOf(delivered)) : this.reply(reply, refusalOf(delivered))
    })
    this.#dispatcher = new CallDispatcher(options, this.#carrier)
    const receive = (text: string) => this.#inBackground(this.#carrier.receive(text))
    this.#stopListening = options.store.listen(options.instanceId, receive)
  }

  get mac(): CallMac {
    return this.#options.mac
  }

  get now(): () => number {
    return this.#options.now
  }

  /** Calls of this process that await their outcome. */
  get bound(): StoreBound {
    return { name: 'pending_calls', used: this.#pending.size, limit: maxPendingCalls }
  }

  /** Sets the transports of receivers. Call it before the first call. */
  connect(connected: CallReceivers, polled: CallReceivers & OutcomeReceivers): void {
    this.#carrier.connect(connected, polled)
  }

  /**
   * Makes a call whose outcome comes back to this process. Every call gets an outcome. Reports unexpected errors.
   * @param order  of the caller's calls
   */
  async call(request: CallRequest, order: CallOrder): Promise<CallOutcome> {
    const { instanceId, now, onFailure } = this.#options
    try {
      return await this.#pending.wait(
        request.expiresAt - now(),
        number => order.run(() => this.dispatch(request, { kind: 'instance', instanceId, number })),
        () => this.outcomeOf(request)
      )
    } catch (error) {
      const outcome = expectedOutcome(error)
      if (outcome === undefined) onFailure(error)
      return outcome ?? failed
    }
  }

  /** See `CallDispatcher`. @throws StoreUnavailable */
  dispatch(request: CallRequest, waiter: Waiter): Promise<CallOutcome | undefined> {
    return this.#dispatcher.dispatch(request, waiter)
  }

  /** Refuses the waiters of a call that another instance could not deliver. */
  async #drop(callId: string, refusal: CallOutcome): Promise<void> {
    await this.#carrier.announce(await this.#dispatcher.unbind(callId), refusal)
  }

  /**
   * Stores the first outcome of a call and sends it to its waiters.
   * @throws StoreUnavailable
   */
  async settle(callId: string, outcome: CallOutcome): Promise<SettledCall['kind']> {
    const { store, mac } = this.#options
    const { recordId } = splitCallId(callId)
    const settled = await store.settle(recordId, callId, writeOutcome(mac, recordId, outcome))
    if (settled.kind === 'settled') this.#inBackground(this.#carrier.announce(settled.waiters, outcome))
    return settled.kind
  }

  /** Sends the outcome of a call that the store does not keep. @throws StoreUnavailable */
  reply(waiter: string, outcome: CallOutcome): Promise<void> {
    return this.#carrier.announce([waiter], outcome)
  }

  /**
   * Stores an outcome that its caller cannot receive yet, for {@link outcomeOf}. Keyed calls are skipped: a key is
   * bound only to a call that was sent. Failures are reported; the caller then learns that the outcome is unknown.
   */
  async keep({ recordId, digest, caller, isKeyed }: CallRequest, outcome: CallOutcome): Promise<void> {
    if (isKeyed) return
    const { store, mac, onFailure } = this.#options
    const owner = firstOwnerOf(caller.owners)
    const call = { recordId, callId: recordId, digest, lifeMs: resultLifeMs, owner, waiter: '' }
    try {
      const opened = await store.open(call)
      if (opened.kind === 'opened') await store.settle(recordId, recordId, writeOutcome(mac, recordId, outcome))
    } catch (error) {
      onFailure(error)
    }
  }

  /** The call's receiver ended before it answered. */
  abandonReply(waiter: string): void {
    this.#inBackground(this.reply(waiter, timedOut))
  }

  /** The receiver of these calls ended before it answered them. */
  abandon(callIds: readonly string[]): void {
    for (const callId of callIds) this.#inBackground(this.settle(callId, timedOut))
  }

  /** The outcome for a caller whose wait timed out: the stored one, or CALL_TIMEOUT. */
  async outcomeOf(call: WantedCall): Promise<CallOutcome> {
    const { store, mac, onFailure } = this.#options
    try {
      const result = await store.result(call)
      return (result === undefined ? undefined : readOutcome(mac, call.recordId, result)) ?? timedOut
    } catch (error) {
      onFailure(error)
      return timedOut
    }
  }

  /** Ends calls to lost instances. Call it about once a second. */
  async tick(): Promise<void> {
    try {
      for (const { callId, reply } of await this.#carrier.lostCalls()) {
        if (reply === undefined) this.abandon([callId])
        else this.abandonReply(reply)
      }
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      this.#options.onFailure(error)
    }
  }

  stop(): void {
    this.#stopListening()
  }

  /** The waiters learn the outcome at the deadline at the latest. */
  #inBackground(work: Promise<unknown>): void {
    work.catch(this.#options.onFailure)
  }
}
