import rateLimit, { type RateLimitOptions } from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { limiterKeyOf } from '../auth/address.js'
import { ApiError } from '../errors.js'
import type { VerifiedTokens } from './verified-tokens.js'

/** Rates of one address, counted by this process. */

/** Addresses that one table counts. At the bound the least recently seen is evicted. */
export const maxCountedAddresses = 20_000
/** Requests of one address, or of one verified token, per minute to the HTTP API and to paths that do not exist. */
export const requestsPerMinute = 3000
/** Requests of one address per minute to each of the paths for health and metrics, apart from all others. */
export const monitoringPerMinute = 1200

/** A count of its own for one route. @param max  requests of one address in a minute */
export function perMinute(max: number): RateLimitOptions & { readonly cache: number } {
  return { max, timeWindow: 60_000, cache: maxCountedAddresses }
}

/** One error for all refusals: a flood would otherwise pay for a stack trace each time. */
const refusal = new ApiError('RATE_LIMITED')

/** Counts every request of every route, unless the route has a count of its own. */
export async function registerRateLimit(server: FastifyInstance, tokens: VerifiedTokens): Promise<void> {
  await server.register(rateLimit, {
    ...perMinute(requestsPerMinute),
    global: true,
    keyGenerator: request => tokens.limiterKeyOf(request.headers) ?? limiterKeyOf(request.ip),
    errorResponseBuilder: () => refusal
  })
}
