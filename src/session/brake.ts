import type { HandshakeWatcher } from './connection.js'

/** Addresses that are remembered; the longest remembered is forgotten first. */
export const maxAddresses = 100_000
const windowMs = 60_000

export interface Brake extends HandshakeWatcher {
  /** 0, or how long the address has to wait before its next handshake. */
  retryAfterMs(remoteAddress: string): number
}

/**
 * Slows an address down that fails handshakes, by nothing but its address: a stranger who fails in somebody's name
 * locks out nobody but itself.
 * @param perMinute  failures that an address may have in a minute; 0: any number
 */
export function createBrake(perMinute: number, now: () => number): Brake {
  const failures = new Map<string, { count: number; endsAt: number }>()

  return {
    failed(remoteAddress) {
      if (perMinute === 0) return
      const seen = failures.get(remoteAddress)
      failures.delete(remoteAddress)
      const running = seen !== undefined && seen.endsAt > now()
      const endsAt = running ? seen.endsAt : now() + windowMs
      failures.set(remoteAddress, { count: running ? seen.count + 1 : 1, endsAt })
      if (failures.size > maxAddresses) {
        const [oldest] = failures.keys()
        if (oldest !== undefined) failures.delete(oldest)
      }
    },
    retryAfterMs(remoteAddress) {
      const seen = failures.get(remoteAddress)
      return seen !== undefined && seen.count >= perMinute && seen.endsAt > now() ? seen.endsAt - now() : 0
    }
  }
}
