import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { OriginRule } from '../config/origins.js'
import { ApiError } from '../errors.js'
import { foreignOrigin } from './origin.js'

/** Rules for every request, checked before any limit counts it. */

const apiPrefix = '/v1/'

export interface RequestRuleOptions {
  readonly allowedOrigins: OriginRule
}

function isHostName(name: string | undefined): boolean {
  return name?.length === 4 && name.toLowerCase() === 'host'
}

/**
 * Two Host headers mean that a proxy and the gateway may each read another one. Node checks neither this nor the Host of
 * an upgrade.
 * @throws ApiError BAD_REQUEST
 */
function requireOneHost({ rawHeaders, headers, httpVersion }: FastifyRequest['raw']): void {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) if (isHostName(rawHeaders[i])) hosts++
  if (hosts > 1) throw new ApiError('BAD_REQUEST', 'the request has more than one Host header')
  if (headers.host === undefined && httpVersion === '1.1') {
    throw new ApiError('BAD_REQUEST', 'the request has no Host header')
  }
}

/** Whether the request is for the API. Its path may be percent-encoded, so the matched route decides as well. */
function isForApi(request: FastifyRequest): boolean {
  return request.raw.url?.startsWith(apiPrefix) === true || request.routeOptions.url?.startsWith(apiPrefix) === true
}

async function requestRules(app: FastifyInstance, { allowedOrigins }: RequestRuleOptions): Promise<void> {
  app.addHook('onRequest', (request, reply, done) => {
    // Pages set their own afterwards.
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
    try {
      requireOneHost(request.raw)
    } catch (error) {
      return done(error as ApiError)
    }
    const { headers } = request
    if (headers.origin === undefined && headers['sec-fetch-site'] === undefined) return done()
    const reason = isForApi(request) ? foreignOrigin(allowedOrigins, headers, request.host) : undefined
    done(reason === undefined ? undefined : new ApiError('PERMISSION_DENIED', reason))
  })
}

/** Its hook precedes those of routes, and so the rate limits. */
export default fp(requestRules, { name: 'countersign-request-rules', fastify: '5.x' })
