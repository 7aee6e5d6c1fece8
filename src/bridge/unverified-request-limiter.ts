import { limiterKeyOf } from '../auth/address.js'

/** Requests that did not verify in a minute, by address; above it the address must wait. */
export const unverifiedPerMinute = 600
/** Addresses that are counted; at this number the one that was seen longest ago is evicted. */
export const maxCountedAddresses = 100_000
const windowMs = 60_000

/**
 * Counts requests that did not verify, by address, in this process. A request that verifies is never limited by it, also
 * when it shares the address.
 */
export interface UnverifiedRequestLimiter {
  /** Counts one request that did not verify. */
  count(address: string): void
  /** How long the address must wait, in milliseconds; 0: it need not. */
  retryAfterMs(address: string): number
}

interface Window {
  readonly endsAt: number
  requests: number
}

/**
 * @param now       unix milliseconds of the steady clock
 * @param perMinute requests of one address; 0: unlimited
 */
export function createUnverifiedRequestLimiter(
  now: () => number,
  perMinute: number = unverifiedPerMinute
): UnverifiedRequestLimiter {
  // The address that was counted longest ago comes first.
  const windows = new Map<string, Window>()

  function windowOf(key: string): Window | undefined {
    const window = windows.get(key)
    return window === undefined || now() >= window.endsAt ? undefined : window
  }

  return {
    count(address) {
      if (perMinute === 0) return
      const key = limiterKeyOf(address)
      const window = windowOf(key) ?? { endsAt: now() + windowMs, requests: 0 }
      window.requests++
      windows.delete(key)
      const [oldest] = windows.size >= maxCountedAddresses ? windows.keys() : []
      if (oldest !== undefined) windows.delete(oldest)
      windows.set(key, window)
    },
    retryAfterMs(address) {
      if (perMinute === 0) return 0
      const window = windowOf(limiterKeyOf(address))
      return window !== undefined && window.requests >= perMinute ? window.endsAt - now() : 0
    }
  }
}
