/** Requests that did not verify, by address, in this process: the one thing that an unverified exchange costs its sender. */

/** Unverified exchanges that an address may send in a minute. */
export const unverifiedPerMinute = 600
/** Addresses that are counted at one time; beyond it counting starts anew. */
export const maxCountedAddresses = 100_000
const windowMs = 60_000

export interface UnverifiedRequestLimiter {
  failed(address: string): void
  /** 0, or how long the address has to wait, in milliseconds. */
  retryAfterMs(address: string): number
}

/** @param perMinute  0: any number */
export function createUnverifiedRequestLimiter(
  now: () => number,
  perMinute: number = unverifiedPerMinute
): UnverifiedRequestLimiter {
  let counts = new Map<string, number>()
  let windowEndsAt = 0

  return {
    failed(address) {
      if (perMinute === 0) return
      if (now() >= windowEndsAt || counts.size >= maxCountedAddresses) {
        counts = new Map()
        windowEndsAt = now() + windowMs
      }
      counts.set(address, (counts.get(address) ?? 0) + 1)
    },
    retryAfterMs(address) {
      return now() < windowEndsAt && (counts.get(address) ?? 0) >= perMinute && perMinute > 0 ? windowEndsAt - now() : 0
    }
  }
}
