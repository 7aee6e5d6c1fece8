/**
 * Calls in the store (PROTOCOL §16): what an idempotency key is bound to, who waits for the result, and the result. All
 * texts are opaque to the store. `docs/model/calls.pml` verifies these steps.
 */

/** How long an idempotency key is bound to its call, in milliseconds. */
export const callKeyLifeMs = 5 * 60 * 1000
/** Waiters of one call that are kept, the newest: a client that repeats a call waits for it once. */
export const maxCallWaiters = 16

/** What a caller waits for. */
export interface WantedCall {
  /** Names the record: it follows from the idempotency key, or is random. */
  readonly recordId: string
  /** Of what the call asks for: a repeat has the same one. */
  readonly digest: string
}

export interface NewCall extends WantedCall {
  readonly callId: string
  /** How long the record is kept, in milliseconds. */
  readonly lifeMs: number
  /** Whose calls they are: each owner has a part of what is kept. */
  readonly owner: string
  /** Who gets the result. */
  readonly waiter: string
  /** Who waited for a call that was dropped: they get this result. Default: nobody. */
  readonly others?: readonly string[]
}

export type OpenedCall =
  | { readonly kind: 'opened' }
  /** The record exists. Without a `result` the waiter was added. */
  | { readonly kind: 'repeated'; readonly callId: string; readonly result?: string }
  /** The record exists, and asks for something else. */
  | { readonly kind: 'conflict' }

export type SettledCall =
  /** This is the result, and these waited for it. */
  | { readonly kind: 'settled'; readonly waiters: readonly string[] }
  /** The call has a result already. */
  | { readonly kind: 'repeated' }
  /** Nobody waits for it any more. */
  | { readonly kind: 'missing' }

export interface CallStore {
  /** @throws StoreUnavailable; ShareExceeded if too many are kept, and their owner has more than its part */
  open(call: NewCall): Promise<OpenedCall>
  /** Like {@link open} for a record that exists; undefined if it does not. @throws StoreUnavailable */
  join(call: WantedCall & Pick<NewCall, 'waiter'>): Promise<Exclude<OpenedCall, { kind: 'opened' }> | undefined>
  /** Keeps the first result of a call. @throws StoreUnavailable */
  settle(recordId: string, callId: string, result: string): Promise<SettledCall>
  /** Removes the record of a call of which nothing ran. @returns who waited for it. @throws StoreUnavailable */
  drop(recordId: string, callId: string): Promise<readonly string[]>
  /** The result, or undefined if there is none, or the record asks for something else. @throws StoreUnavailable */
  result(call: WantedCall): Promise<string | undefined>
  /**
   * Sends a text to an instance; it may be lost.
   * @returns false if the instance certainly did not get it
   * @throws StoreUnavailable
   */
  send(instanceId: string, text: string): Promise<boolean>
  /** Sets the listener for texts to an instance. @returns removes it */
  listen(instanceId: string, listener: (text: string) => void): () => void
}
