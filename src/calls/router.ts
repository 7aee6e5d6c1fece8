import type { SettledCall, WantedCall } from '../store/calls.js'
import { firstOwnerOf } from '../store/owners.js'
import { type StoreBound, StoreUnavailable } from '../store/store.js'
import { type CallMac, splitCallId } from './call-id.js'
import type { CallOrder } from './call-order.js'
import { CallCarrier, type CallReceivers, type OutcomeReceivers } from './carrier.js'
import { CallDispatcher, type DispatcherOptions, resultLifeMs } from './dispatcher.js'
import { readOutcome, writeOutcome } from './mailbox.js'
import { type CallOutcome, outcomeOf, refusalOf, timedOut } from './outcome.js'
import { maxPendingCalls, PendingCalls } from './pending-calls.js'
import type { CallRequest } from './request.js'

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

  /** Calls of this process that wait for their outcome. */
  get bound(): StoreBound {
    return { name: 'pending_calls', used: this.#pending.size, limit: maxPendingCalls }
  }

  /** Sets where calls go. To be called before the first one. */
  connect(connected: CallReceivers, polled: CallReceivers & OutcomeReceivers): void {
    this.#carrier.connect(connected, polled)
  }

  /**
   * Makes a call whose outcome comes back to this process. It always has one.
   * @param order  of the caller's calls
   */
  async call(request: CallRequest, order: CallOrder): Promise<CallOutcome> {
    const { now } = this.#options
    try {
      return await this.#pending.wait(
        request.expiresAt - now(),
        waiter => order.run(() => this.dispatch(request, this.#carrier.ownWaiter(waiter))),
        () => this.outcomeOf(request)
      )
    } catch (error) {
      return outcomeOf(error)
    }
  }

  /** See `CallDispatcher`. @throws StoreUnavailable */
  dispatch(request: CallRequest, waiter: string): Promise<CallOutcome | undefined> {
    return this.#dispatcher.dispatch(request, waiter)
  }

  /** Refuses those who wait for a call that another instance could not deliver. */
  async #drop(callId: string, refusal: CallOutcome): Promise<void> {
    await this.#carrier.announce(await this.#dispatcher.unbind(callId), refusal)
  }

  /**
   * Keeps the outcome of a call, the first one, and sends it to those who wait.
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
   * Keeps an outcome that its caller cannot take yet, for {@link outcomeOf}. A key is bound to nothing but the call itself.
   * What fails is reported; the caller then learns that nobody knows the outcome.
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

  /** The receiver of a call has ended before it answered. */
  abandonReply(waiter: string): void {
    this.#inBackground(this.reply(waiter, timedOut))
  }

  /** The receiver of these calls has ended before it answered them. */
  abandon(callIds: readonly string[]): void {
    for (const callId of callIds) this.#inBackground(this.settle(callId, timedOut))
  }

  /** What a caller gets that waits no longer: the outcome that the store keeps, or that the call has timed out. */
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

  /** Ends the calls to lost instances. Call it about once a second. */
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

  /** Whoever waits learns the outcome at the deadline, if not before. */
  #inBackground(work: Promise<unknown>): void {
    work.catch(this.#options.onFailure)
  }
}
