import { type CallStore, callKeyLifeMs, type OpenedCall } from '../store/calls.js'
import { firstOwnerOf } from '../store/owners.js'
import { StoreUnavailable } from '../store/store.js'
import { type CallMac, createCallId, splitCallId } from './call-id.js'
import type { CallCarrier } from './carrier.js'
import type { Receiver, ReceiverDirectory } from './directory.js'
import { readOutcome } from './mailbox.js'
import { type CallOutcome, denied, keyConflict, noReceiver, outcomeOf, refusalOf, timedOut } from './outcome.js'
import { type CallRequest, mayCall } from './request.js'
import { formatWaiter, type Waiter } from './waiter.js'

/** Sessions of a client that one call tries while the previous ones turn out to have ended. */
const maxCandidates = 4
/** How long a result without an idempotency key is kept for a caller whose outbox is full, in milliseconds. */
export const resultLifeMs = 60_000

/** One dispatch of a call. */
interface Attempt {
  readonly request: CallRequest
  /** See {@link formatWaiter}. */
  readonly waiter: string
  /** Whether only the process that made the call waits for its outcome. */
  readonly isOwn: boolean
  /** Waiters for a call to a session that turned out to have ended: they wait for the next one. */
  others: readonly string[]
}

export interface DispatcherOptions {
  readonly store: CallStore
  readonly directory: ReceiverDirectory
  readonly mac: CallMac
  /** Charges bytes to their owners. @throws RateLimited */
  readonly charge: (owners: string, bytes: number) => void
  /** Called with errors in the background. */
  readonly onFailure: (error: unknown) => void
  /** Unix milliseconds of the clock that all instances share. */
  readonly now: () => number
}

/** Sends calls to their receivers, each under its idempotency key. */
export class CallDispatcher {
  readonly #options: DispatcherOptions
  readonly #carrier: CallCarrier

  constructor(options: DispatcherOptions, carrier: CallCarrier) {
    this.#options = options
    this.#carrier = carrier
  }

  /**
   * Sends a call to its receiver, unless it is a repeat.
   * @param waiter  receives the outcome
   * @returns the outcome if it exists already: the waiter then receives nothing more
   * @throws StoreUnavailable
   */
  async dispatch(request: CallRequest, waiter: Waiter): Promise<CallOutcome | undefined> {
    const { caller, to, method, recordId, digest } = request
    const text = formatWaiter(waiter)
    if (caller.patterns?.length === 0 || ('clientId' in to && !mayCall(caller, to.clientId, method))) return denied
    if (request.isKeyed) {
      const joined = await this.#options.store.join({ recordId, digest, waiter: text })
      if (joined !== undefined) return this.#repeated(joined, recordId)
    }
    const attempt: Attempt = { request, waiter: text, isOwn: waiter.kind === 'instance', others: [] }
    const outcome = await this.#tryReceivers(attempt).catch(outcomeOf)
    if (outcome !== undefined) this.#carrier.announce(attempt.others, outcome).catch(this.#options.onFailure)
    return outcome
  }

  async #tryReceivers(attempt: Attempt): Promise<CallOutcome | undefined> {
    const { directory, charge, now } = this.#options
    const { request } = attempt
    const { caller, to, method, data = '' } = request
    for (let tried = 0; tried < maxCandidates; tried++) {
      const receiver = await this.#find(request)
      if (receiver === undefined) return noReceiver
      if (!mayCall(caller, receiver.clientId, method)) return denied
      // A caller that waited too long for its turn already has its outcome.
      if (now() >= request.expiresAt) return timedOut
      if (tried === 0) charge(caller.owners, Buffer.byteLength(data))
      const outcome = await this.#open(attempt, receiver)
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

  async #open(attempt: Attempt, receiver: Receiver): Promise<CallOutcome | undefined | 'missing'> {
    const { store, mac, now } = this.#options
    const { sessionId } = receiver
    const { request, waiter, isOwn, others } = attempt
    const { caller, method, data, expiresAt, recordId, digest, isKeyed } = request
    const callId = createCallId(mac, { recordId, expiresAt }, sessionId)
    // Without a key, only this process asks for the outcome, and only one instance serves the session of a socket.
    const isKept = isKeyed || receiver.transport === 'bridge' || !isOwn
    if (isKept) {
      const lifeMs = isKeyed ? callKeyLifeMs : expiresAt - now() + resultLifeMs
      const owner = firstOwnerOf(caller.owners)
      const opened = await store.open({ recordId, callId, digest, lifeMs, owner, waiter, others })
      const known = opened.kind === 'opened' ? undefined : this.#repeated(opened, recordId)
      if (known !== undefined) return known
      attempt.others = []
      if (opened.kind !== 'opened') return undefined
    }
    const { clientId: from } = caller
    const call = {
      ...{ sessionId, callId, method, expiresAt },
      ...(from === undefined ? {} : { from }),
      ...(data === undefined ? {} : { data }),
      ...(isKept ? {} : { reply: waiter })
    }
    const delivered = await this.#carrier.deliver(receiver, call).catch(returnUnsent)
    if (delivered === 'delivered') return undefined
    // The refusal states that the key is free, so it is sent after the key is unbound.
    const waiters = isKept ? await this.unbind(callId) : []
    attempt.others = waiters.filter(each => each !== waiter)
    if (delivered instanceof StoreUnavailable) throw delivered
    return delivered === 'missing' ? delivered : refusalOf(delivered)
  }

  /**
   * Unbinds the key of a call that did not run.
   * @returns the waiters for its outcome
   * @throws StoreUnavailable, `unknown`: the key may still be bound
   */
  async unbind(callId: string): Promise<readonly string[]> {
    try {
      return await this.#options.store.drop(splitCallId(callId).recordId, callId)
    } catch (error) {
      throw error instanceof StoreUnavailable ? new StoreUnavailable(error) : error
    }
  }
}

/** @throws all other errors: the call may have been delivered */
function returnUnsent(error: unknown): StoreUnavailable {
  if (error instanceof StoreUnavailable && error.outcome === 'unsent') return error
  throw error
}
