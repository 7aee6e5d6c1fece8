import { OrderedMap } from '../store/ordered-map.js'
import { limiterKeyOf } from './address.js'

/** Addresses that are counted; at this number the oldest entry is evicted. */
export const maxUnverifiedAddresses = 100_000
const windowMs = 60_000

/** Counts events by address, in this process. The caller decides what happens above the rate. */
export interface AddressLimiter {
  /** Counts one event. */
  count(address: string): void
  /** Milliseconds until the next event of the address is within its rate; 0 if it need not wait. */
  retryAfterMs(address: string): number
}

interface Window {
  readonly endsAt: number
  events: number
}

/**
 * @param now       unix milliseconds of the steady clock
 * @param perMinute events of one address; 0: unlimited
 */
export function createAddressLimiter(now: () => number, perMinute: number): AddressLimiter {
  // The oldest entry comes first.
  const windows = new OrderedMap<string, Window>()

  function windowOf(key: string): Window | undefined {
    const window = windows.get(key)
    return window === undefined || now() >= window.endsAt ? undefined : window
  }

  return {
    count(address) {
      if (perMinute === 0) return
      const key = limiterKeyOf(address)
      const window = windowOf(key) ?? { endsAt: now() + windowMs, events: 0 }
      window.events++
      windows.delete(key)
      if (windows.size >= maxUnverifiedAddresses) windows.deleteOldest()
      windows.set(key, window)
    },
    retryAfterMs(address) {
      if (perMinute === 0) return 0
      const window = windowOf(limiterKeyOf(address))
      return window !== undefined && window.events >= perMinute ? window.endsAt - now() : 0
    }
  }
}
