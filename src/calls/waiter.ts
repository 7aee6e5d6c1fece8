/** Waits for the outcome of a call. */
export type Waiter =
  /** A bridge session; `re` is the seq of its call. */
  | { readonly kind: 'session'; readonly sessionId: string; readonly re: number }
  /** A call of a process, by its number there (see `PendingCalls`). */
  | { readonly kind: 'instance'; readonly instanceId: string; readonly number: number }

/** @returns the form of a waiter in the store; neither id contains a space */
export function formatWaiter(waiter: Waiter): string {
  return waiter.kind === 'session' ? `b ${waiter.sessionId} ${waiter.re}` : `i ${waiter.instanceId} ${waiter.number}`
}

/** @param text  made by {@link formatWaiter} */
export function parseWaiter(text: string): Waiter {
  const [kind, id = '', number] = text.split(' ')
  return kind === 'b'
    ? { kind: 'session', sessionId: id, re: Number(number) }
    : { kind: 'instance', instanceId: id, number: Number(number) }
}
