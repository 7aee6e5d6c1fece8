import { type CallStore, callKeyLifeMs, type OpenedCall, type SettledCall } from '../store/calls.js'
import { firstOwnerOf } from '../store/owners.js'
import { type StoreBound, StoreUnavailable } from '../store/store.js'
import { type CallMac, createCallId, splitCallId } from './call-id.js'
import type { CallOrder } from './call-order.js'
import { CallCarrier, type CallReceivers, type OutcomeReceivers } from './carrier.js'
import type { Receiver, ReceiverDirectory } from './directory.js'
import { readOutcome, writeOutcome } from './mailbox.js'
import { type CallOutcome, noReceiver, outcomeOf, timedOut, tooManyCalls } from './outcome.js'
import { maxPendingCalls, PendingCalls } from './pending-calls.js'
import { type CallRequest, digestOf, mayCall } from './request.js'

/** Sessions of a client that one call tries, while those it tried turn out to have ended. */
const maxCandidates = 4
/** How long a result without an idempotency key is kept for a caller whose outbox is full, in milliseconds. */
const resultLifeMs = 60_000

export interface CallRouterOptions {
  readonly instanceId: string
  readonly store: CallStore
  readonly directory: ReceiverDirectory
  readonly isAlive: (instanceId: string) => Promise<boolean>
  readonly mac: CallMac
  /** Counts bytes for their owners. @throws RateLimited */
  readonly charge: (owners: string, bytes: number) => void
  /** Called with what fails in the background. */
  readonly onFailure: (error: unknown) => void
  /** Unix milliseconds of the clock that all instances share. */
  readonly now: () => number
}

const denied: CallOutcome = { kind: 'refused', code: 'PERMISSION_DENIED', message: 'call: no pattern matches' }
const keyConflict: CallOutcome = {
  ...{ kind: 'refused', code: 'INVALID_MESSAGE' },
  message: 'idempotencyKey: already used for another call'
}

/** Brings calls to their receivers, and outcomes to their callers, on any instance (PROTOCOL §16). */
export class CallRouter {
  readonly #options: CallRouterOptions
  readonly #pending = new PendingCalls()
  readonly #carrier: CallCarrier
  readonly #stopListening: () => void

  constructor(options: CallRouterOptions) {
    this.#options = options
    this.#carrier = new CallCarrier({
      ...options,
      pending: this.#pending,
      onRefused: ({ callId, reply }, delivered) =>
        reply === undefined ? this.#drop(callId, refusalOf(delivered)) : this.reply(reply, refusalOf(delivered))
    })
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
    const { recordId, expiresAt } = request
    try {
      return await this.#pending.wait(
        expiresAt - now(),
        waiter => order.run(() => this.dispatch(request, this.#carrier.ownWaiter(waiter))),
        () => this.outcomeOf(recordId)
      )
    } catch (error) {
      return outcomeOf(error)
    }
  }

  /**
   * Sends a call to its receiver, unless it is a repeat.
   * @param waiter  gets the outcome, see {@link waiterOf}
   * @returns the outcome if there is one already: the waiter gets no other one
   * @throws StoreUnavailable, RateLimited
   */
  async dispatch(request: CallRequest, waiter: string): Promise<CallOutcome | undefined> {
    const { store, directory, charge, now } = this.#options
    const { caller, to, method, recordId, data = '' } = request
    if (caller.patterns?.length === 0 || ('clientId' in to && !mayCall(caller, to.clientId, method))) return denied
    const digest = digestOf(request)
    if (request.isKeyed) {
      const joined = await store.join({ recordId, digest, waiter })
      if (joined !== undefined) return this.#repeated(joined, recordId)
    }
    for (let tried = 0; tried < maxCandidates; tried++) {
      const receiver = await this.#find(request)
      if (receiver === undefined) return noReceiver
      if (!mayCall(caller, receiver.clientId, method)) return denied
      // A caller that waited for its turn too long has its outcome.
      if (now() >= request.expiresAt) return timedOut
      if (tried === 0) charge(caller.owners, Buffer.byteLength(data))
      const outcome = await this.#open(request, receiver, digest, waiter)
      if (outcome !== 'missing') return outcome
      if ('sessionId' in to) return noReceiver
      directory.forget(to.clientId)
    }
    return noReceiver
  }

  #find({ to }: CallRequest): Promise<Receiver | undefined> {
    const { directory } = this.#options
    return 'clientId' in to ? directory.mostRecentlySeen(to.clientId) : directory.get(to.sessionId)
  }

  #repeated(opened: Exclude<OpenedCall, { kind: 'opened' }>, recordId: string): CallOutcome | undefined {
    if (opened.kind === 'conflict') return keyConflict
    if (opened.result === undefined) return undefined
    return readOutcome(this.#options.mac, recordId, opened.result) ?? timedOut
  }

  async #open(
    { caller, method, data, expiresAt, recordId, isKeyed }: CallRequest,
    receiver: Receiver,
    digest: string,
    waiter: string
  ): Promise<CallOutcome | undefined | 'missing'> {
    const { store, mac, now } = this.#options
    const { sessionId } = receiver
    const callId = createCallId(mac, { recordId, expiresAt }, sessionId)
    // Without a key, nobody but this process asks for the outcome, and the session of a socket has one place.
    const isKept = isKeyed || receiver.transport === 'bridge' || !this.#carrier.isOwn(waiter)
    if (isKept) {
      const lifeMs = isKeyed ? callKeyLifeMs : expiresAt - now() + resultLifeMs
      const owner = firstOwnerOf(caller.owners)
      const opened = await store.open({ recordId, callId, digest, lifeMs, owner, waiter })
      if (opened.kind !== 'opened') return this.#repeated(opened, recordId)
    }
    const { clientId: from } = caller
    const delivered = await this.#carrier.deliver(receiver, {
      ...{ sessionId, callId, method, expiresAt },
      ...(from === undefined ? {} : { from }),
      ...(data === undefined ? {} : { data }),
      ...(isKept ? {} : { reply: waiter })
    })
    if (delivered === 'delivered') return undefined
    const refusal = refusalOf(delivered)
    if (isKept) this.#inBackground(this.#drop(callId, refusal, waiter))
    return delivered === 'missing' ? delivered : refusal
  }

  /** Unbinds the key of a call of which nothing ran, and refuses those who joined it. */
  async #drop(callId: string, refusal: CallOutcome, except?: string): Promise<void> {
    const waiters = await this.#options.store.drop(splitCallId(callId).recordId, callId)
    await this.#carrier.announce(
      waiters.filter(waiter => waiter !== except),
      refusal
    )
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

  /** Keeps an outcome that its caller cannot take yet, for {@link outcomeOf}. @throws StoreUnavailable */
  async keep({ recordId, caller }: CallRequest, outcome: CallOutcome): Promise<void> {
    const { store, mac } = this.#options
    const owner = firstOwnerOf(caller.owners)
    const call = { recordId, callId: recordId, digest: '', lifeMs: resultLifeMs, owner, waiter: '' }
    const opened = await store.open(call)
    if (opened.kind === 'opened') await store.settle(recordId, recordId, writeOutcome(mac, recordId, outcome))
  }

  /** The receiver of a call has ended before it answered. */
  abandonReply(waiter: string): void {
    this.#inBackground(this.reply(waiter, timedOut))
  }

  /** The receiver of these calls has ended before it answered them. */
  abandon(callIds: readonly string[]): void {
    for (const callId of callIds) this.#inBackground(this.settle(callId, timedOut))
  }

  /** The outcome that the store keeps, if there is one. @throws StoreUnavailable */
  async resultOf(recordId: string): Promise<CallOutcome | undefined> {
    const result = await this.#options.store.result(recordId)
    return result === undefined ? undefined : readOutcome(this.#options.mac, recordId, result)
  }

  /** What a caller gets that waits no longer: the outcome that the store keeps, or that the call has timed out. */
  async outcomeOf(recordId: string): Promise<CallOutcome> {
    try {
      return (await this.resultOf(recordId)) ?? timedOut
    } catch (error) {
      this.#options.onFailure(error)
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

function refusalOf(delivered: 'full' | 'missing'): CallOutcome {
  return delivered === 'missing' ? noReceiver : tooManyCalls('too many calls to this receiver, or its outbox is full')
}
