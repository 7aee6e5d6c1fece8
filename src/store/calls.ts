/**
 * Calls in the store (PROTOCOL §16): the request that an idempotency key is bound to, the waiters for its result, and
 * the result. All texts are opaque to the store. `docs/model/calls.pml` verifies these steps.
 */

/** Time for which an idempotency key is bound to its call, in milliseconds. */
export const callKeyLifeMs = 5 * 60 * 1000
/** Waiters kept per call, the newest: a client that repeats a call waits for it once. */
export const maxCallWaiters = 16

/** A call in the store. */
export interface WantedCall {
  /** Id of the record, derived from the idempotency key, or random. */
  readonly recordId: string
  /** Hash of the request: equal for repeats. */
  readonly digest: string
}

export interface NewCall extends WantedCall {
  readonly callId: string
  /** Life of the record, in milliseconds. */
  readonly lifeMs: number
  /** Owner of the call: each owner has a share of the capacity. */
  readonly owner: string
  /** Receives the result. */
  readonly waiter: string
  /** Waiters of a dropped call, which get this result. Default: none. */
  readonly others?: readonly string[]
}

export type OpenedCall =
  | { readonly kind: 'opened' }
  /** The record exists. Without a `result` the waiter was added. */
  | { readonly kind: 'repeated'; readonly callId: string; readonly result?: string }
  /** The record exists for a different request. */
  | { readonly kind: 'conflict' }

export type SettledCall =
  /** The result was stored, and these waiters need it. */
  | { readonly kind: 'settled'; readonly waiters: readonly string[] }
  /** The call already has a result. */
  | { readonly kind: 'repeated' }
  /** The call no longer has waiters. */
  | { readonly kind: 'missing' }

export interface CallStore {
  /** @throws StoreUnavailable; ShareExceeded if the store is full and their owner exceeds its share */
  open(call: NewCall): Promise<OpenedCall>
  /** Like {@link open} for a record that exists; undefined if it does not. @throws StoreUnavailable */
  join(call: WantedCall & Pick<NewCall, 'waiter'>): Promise<Exclude<OpenedCall, { kind: 'opened' }> | undefined>
  /** Stores the first result of a call. @throws StoreUnavailable */
  settle(recordId: string, callId: string, result: string): Promise<SettledCall>
  /** Removes the record of a call that did not run. @returns its waiters. @throws StoreUnavailable */
  drop(recordId: string, callId: string): Promise<readonly string[]>
  /** The result; undefined if there is none, or if the record is for a different request. @throws StoreUnavailable */
  result(call: WantedCall): Promise<string | undefined>
  /**
   * Sends a text to an instance; it may be lost.
   * @returns false if the instance certainly did not receive it
   * @throws StoreUnavailable
   */
  send(instanceId: string, text: string): Promise<boolean>
  /** Sets the listener for texts to an instance. @returns a function that removes it */
  listen(instanceId: string, listener: (text: string) => void): () => void
}
