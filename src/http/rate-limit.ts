import rateLimit, { type RateLimitOptions } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { limiterKeyOf } from '../auth/address.js'
import { ApiError } from '../errors.js'
import type { FloodReports } from '../log/flood-reports.js'
import type { VerifiedTokens } from './verified-tokens.js'

/** Rates of one address, counted by this process. */

/** Addresses that one table counts. At the bound the least recently seen is evicted. */
export const maxCountedAddresses = 20_000
/** Requests of one address, or of one verified token, per minute to the HTTP API and to paths that do not exist. */
export const requestsPerMinute = 3000
/**
 * Requests of one socket per minute to each path for health and metrics, counted separately. Their answers are shared
 * and cheap, so a monitor is served on its own socket whatever the load from others behind its address.
 */
export const monitoringPerMinute = 1200
/** Requests of pages of other origins, by address and minute. They are not counted elsewhere. */
export const foreignPerMinute = 3000

type RouteRate = RateLimitOptions & { readonly cache: number }

/** A separate count for one route. @param max  requests of one address in a minute */
function perMinute(max: number): RouteRate {
  return { max, timeWindow: 60_000, cache: maxCountedAddresses }
}

/** The rate of a path for health or metrics. */
export function monitoringRate(): RouteRate {
  return {
    ...perMinute(monitoringPerMinute),
    keyGenerator: ({ ip, socket }: FastifyRequest) => `${limiterKeyOf(ip)} ${socket.remoteAddress} ${socket.remotePort}`
  }
}

/** One error for all refusals at a rate: a flood would otherwise pay for a stack trace each time. */
const refusals = new Map<number, ApiError>()

function refusalAt(max: number): ApiError {
  const known = refusals.get(max)
  if (known !== undefined) return known
  const rate = max.toLocaleString('en-US')
  const made = new ApiError(
    'RATE_LIMITED',
    `more than ${rate} requests within a minute: the limit is ${rate} (COUNTERSIGN_RATE_LIMIT); wait for the seconds in retry-after`
  )
  refusals.set(max, made)
  return made
}

/** Counts every request of every route, unless the route has a count of its own. */
export async function registerRateLimit(
  server: FastifyInstance,
  tokens: VerifiedTokens,
  floods: FloodReports
): Promise<void> {
  await server.register(rateLimit, {
    ...perMinute(requestsPerMinute),
    global: true,
    keyGenerator: request => tokens.limiterKeyOf(request.headers) ?? limiterKeyOf(request.ip),
    errorResponseBuilder: (request, { max }) => {
      floods.record({ remoteAddress: request.ip })
      return refusalAt(max)
    }
  })
}

/**
 * Counts a request that reaches no route.
 * @returns its refusal, if its address has sent too many
 */
export type CountRequest = (request: FastifyRequest) => Promise<ApiError | undefined>

/** Counts an event of an address other than a request. @returns whether the address is above its rate */
export type CountAddress = (remoteAddress: string) => Promise<boolean>

/** The address counts as in {@link createRequestCount} without `max`. */
export function createAddressCount(server: FastifyInstance): CountAddress {
  const count = createRequestCount(server)
  return async ip => {
    // The members of a request that the count reads.
    const request = { ip, headers: {}, routeOptions: { config: {} } } as FastifyRequest
    return (await count(request)) !== undefined
  }
}

/** @param max  default: the requests count with all others of their address */
export function createRequestCount(server: FastifyInstance, max?: number): CountRequest {
  // Absent without rates.
  if (!server.hasDecorator('createRateLimit')) return async () => undefined
  const count = server.createRateLimit(max === undefined ? undefined : perMinute(max))
  return async request => {
    const outcome = await count(request)
    return !outcome.isAllowed && outcome.isExceeded ? refusalAt(outcome.max) : undefined
  }
}
