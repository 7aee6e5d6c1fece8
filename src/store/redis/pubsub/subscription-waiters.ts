import { StoreUnavailable } from '../../errors.js'

/** Longest wait for a subscription, in milliseconds. */
const timeoutMs = 2000

interface Waiter {
  left: number
  readonly resolve: () => void
}

/** Calls that wait for the confirmation of subscriptions. */
export class SubscriptionWaiters {
  readonly #waiters = new Map<string, Set<Waiter>>()

  /** Resolves when every name was confirmed. @throws StoreUnavailable after a timeout */
  wait(names: readonly string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        left: names.length,
        resolve() {
          clearTimeout(timer)
          resolve()
        }
      }
      const timer = setTimeout(() => {
        this.#remove(waiter, names)
        reject(new StoreUnavailable(new Error(`not subscribed within ${timeoutMs} ms`)))
      }, timeoutMs)
      for (const name of names) this.#waiters.set(name, (this.#waiters.get(name) ?? new Set()).add(waiter))
    })
  }

  confirm(name: string): void {
    for (const waiter of this.#waiters.get(name) ?? []) if (--waiter.left === 0) waiter.resolve()
    this.#waiters.delete(name)
  }

  #remove(waiter: Waiter, names: readonly string[]): void {
    for (const name of names) {
      const waiters = this.#waiters.get(name)
      waiters?.delete(waiter)
      if (waiters?.size === 0) this.#waiters.delete(name)
    }
  }
}
