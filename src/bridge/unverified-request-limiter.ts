/** Requests that did not verify in a minute, by address; above it the address must wait. */
export const unverifiedPerMinute = 600
/** Addresses that are counted; at this number all counts restart from zero. */
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

/**
 * @param now       unix milliseconds
 * @param perMinute requests of one address; 0: unlimited
 */
export function createUnverifiedRequestLimiter(
  now: () => number,
  perMinute: number = unverifiedPerMinute
): UnverifiedRequestLimiter {
  let counts = new Map<string, number>()
  let windowEndsAt = 0

  return {
    count(address) {
      if (perMinute === 0) return
      if (now() >= windowEndsAt || counts.size >= maxCountedAddresses) {
        counts = new Map()
        windowEndsAt = now() + windowMs
      }
      counts.set(address, (counts.get(address) ?? 0) + 1)
    },
    retryAfterMs(address) {
      if (perMinute === 0 || now() >= windowEndsAt) return 0
      return (counts.get(address) ?? 0) >= perMinute ? windowEndsAt - now() : 0
    }
  }
}
