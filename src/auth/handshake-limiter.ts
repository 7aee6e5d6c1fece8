import { OrderedMap } from '../store/ordered-map.js'
import type { RateLimitStore } from '../store/store.js'
import { limiterKeyOf } from './address.js'
import { createAddressLimiter, maxUnverifiedAddresses } from './address-limiter.js'

/** Failures for one client id, from any address, after which each further one costs its address more. */
const failuresPerClientPerMinute = 100
/** The cost of a failure for such a client, in failures of its address. */
const costUnderAttack = 5

/**
 * Limits the handshakes of an address by their outcome. Peers share addresses: a handshake that authenticates is never
 * refused because others failed, and one that was only started is not counted.
 */
export interface HandshakeLimiter {
  /**
   * Counts a handshake that failed through the peer's fault.
   * @param clientId  as claimed, if it was read
   * @returns 0, or the time that the address must wait because it failed too often before, in milliseconds
   */
  recordFailure(remoteAddress: string, clientId?: string): Promise<number>
  /**
   * Whether the address failed too often, as far as this instance knows. Its further failures cost the store little.
   */
  isSlowed(remoteAddress: string): boolean
  /** Counts a handshake that succeeded. */
  recordSuccess(remoteAddress: string): void
  /** Milliseconds that the address must wait because too many of its handshakes succeeded; 0 if it need not. */
  retryAfterMs(remoteAddress: string): number
  /** The message of the refusal after {@link retryAfterMs}. */
  readonly refusal: string
}

export interface HandshakeRates {
  /** Failures that an address may have in a minute, over all instances; 0: unlimited. */
  readonly failedPerMinute: number
  /** Successes that an address may have in a minute on this instance; 0: unlimited. */
  readonly succeededPerMinute: number
}

interface HandshakeLimiterLog {
  debug(fields: object, message: string): void
}

/** Addresses that failed too often, until when in milliseconds; the one that was added longest ago is evicted. */
class SlowedAddresses {
  readonly #now: () => number
  readonly #endsAt = new OrderedMap<string, number>()

  constructor(now: () => number) {
    this.#now = now
  }

  add(key: string, waitMs: number): void {
    this.#endsAt.delete(key)
    if (this.#endsAt.size >= maxUnverifiedAddresses) this.#endsAt.deleteOldest()
    this.#endsAt.set(key, this.#now() + waitMs)
  }

  waitMs(key: string): number {
    return Math.max(0, (this.#endsAt.get(key) ?? 0) - this.#now())
  }
}

/**
 * Failures for a client id that is under attack only cost the failing address more, so that an attacker cannot lock out
 * the client that it names.
 * @param now  unix milliseconds of the steady clock
 */
export function createHandshakeLimiter(
  limits: RateLimitStore,
  { failedPerMinute, succeededPerMinute }: HandshakeRates,
  now: () => number,
  log: HandshakeLimiterLog
): HandshakeLimiter {
  const successes = createAddressLimiter(now, succeededPerMinute)
  const slowed = new SlowedAddresses(now)
  const nameOf = (key: string) => `failed:address:${key}`

  /** Counts the extra cost of a failure. */
  async function countForClient(key: string, clientId: string): Promise<void> {
    if ((await limits.consume(`failed:client:${clientId}`, 1, failuresPerClientPerMinute)) === 0) return
    for (let i = 1; i < costUnderAttack; i++) await limits.consume(nameOf(key), 1, failedPerMinute)
  }

  return {
    async recordFailure(remoteAddress, clientId) {
      if (failedPerMinute === 0) return 0
      const key = limiterKeyOf(remoteAddress)
      const known = slowed.waitMs(key)
      if (known > 0) return known
      // Without the store no handshake gets further: its challenge cannot be consumed either.
      const waitMs = await limits.consume(nameOf(key), 1, failedPerMinute).catch(() => 0)
      if (waitMs > 0) slowed.add(key, waitMs)
      else if (clientId !== undefined) {
        countForClient(key, clientId).catch((error: unknown) =>
          log.debug({ err: error }, 'could not count a failed handshake')
        )
      }
      return waitMs
    },
    isSlowed: remoteAddress => slowed.waitMs(limiterKeyOf(remoteAddress)) > 0,
    recordSuccess: successes.count,
    retryAfterMs: successes.retryAfterMs,
    refusal:
      `more than ${succeededPerMinute} handshakes of this address succeeded within a minute: ` +
      `the limit is ${succeededPerMinute} (COUNTERSIGN_HANDSHAKES_PER_MINUTE)`
  }
}
