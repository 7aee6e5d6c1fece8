import type { RateLimitStore } from '../store/store.js'
import { limiterKeyOf } from './address.js'

/** Failures for one client id, from any address, after which each further one costs its address more. */
const failuresPerClientPerMinute = 100
/** What a failure for such a client costs the address that it came from. */
const costUnderAttack = 5

/**
 * Slows down addresses whose handshakes fail. Peers share addresses, so a handshake that proves itself is never refused
 * because others failed: only the answer to a failure changes.
 */
export interface HandshakeLimiter {
  /**
   * Records a handshake that failed through the peer's fault.
   * @param clientId  as claimed, if it was read
   * @returns 0, or how long the address has to wait because it failed too often before, in milliseconds
   */
  recordFailure(remoteAddress: string, clientId?: string): Promise<number>
}

interface HandshakeLimiterLog {
  debug(fields: object, message: string): void
}

/**
 * Limits failures by address, counted over all instances. Failures for a client id that is under attack only cost the
 * failing address more, so that an attacker cannot lock out the client that it names.
 * @param perMinute  failures that an address may have in a minute; 0: unlimited
 */
export function createHandshakeLimiter(
  limits: RateLimitStore,
  perMinute: number,
  log: HandshakeLimiterLog
): HandshakeLimiter {
  const keyOf = (remoteAddress: string) => `failed:address:${limiterKeyOf(remoteAddress)}`

  async function count(remoteAddress: string, clientId: string | undefined): Promise<void> {
    const isUnderAttack =
      clientId !== undefined && (await limits.consume(`failed:client:${clientId}`, 1, failuresPerClientPerMinute)) > 0
    const cost = isUnderAttack ? costUnderAttack : 1
    for (let i = 0; i < cost; i++) await limits.consume(keyOf(remoteAddress), 1, perMinute)
  }

  return {
    async recordFailure(remoteAddress, clientId) {
      if (perMinute === 0) return 0
      // Without a store no handshake gets further: the challenge cannot be stored either.
      const waitMs = await limits.consume(keyOf(remoteAddress), 0, perMinute).catch(() => 0)
      if (waitMs === 0) {
        count(remoteAddress, clientId).catch((error: unknown) =>
          log.debug({ err: error }, 'could not count a failed handshake')
        )
      }
      return waitMs
    }
  }
}
