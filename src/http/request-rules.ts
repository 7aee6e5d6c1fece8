import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { OriginRule } from '../config/origins.js'
import { ApiError } from '../errors.js'
import { foreignOrigin } from './origin.js'
import { createRequestCount, foreignPerMinute } from './rate-limit.js'

/**
 * Rules for every request. Requests that they refuse have separate rates, so that pages of other sites cannot use up
 * the others.
 */

const apiPrefix = '/v1/'

export interface RequestRuleOptions {
  readonly allowedOrigins: OriginRule
}

function isHostName(name: string | undefined): boolean {
  return name?.length === 4 && name.toLowerCase() === 'host'
}

/**
 * With two Host headers, a proxy and the gateway might each read a different one. Node checks neither this nor the Host
 * of an upgrade.
 */
function hostFault({ rawHeaders, headers, httpVersion }: FastifyRequest['raw']): ApiError | undefined {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) if (isHostName(rawHeaders[i])) hosts++
  if (hosts > 1) return new ApiError('BAD_REQUEST', 'the request has more than one Host header')
  if (headers.host === undefined && httpVersion === '1.1') {
    return new ApiError('BAD_REQUEST', 'the request has no Host header')
  }
  return undefined
}

/** Whether the request is for the API. Its path may be percent-encoded, so the matched route decides as well. */
function isForApi(request: FastifyRequest): boolean {
  return request.raw.url?.startsWith(apiPrefix) === true || request.routeOptions.url?.startsWith(apiPrefix) === true
}

async function requestRules(app: FastifyInstance, { allowedOrigins }: RequestRuleOptions): Promise<void> {
  const count = createRequestCount(app)
  const countForeign = createRequestCount(app, foreignPerMinute)
  app.addHook('onRequest', (request, reply, done) => {
    // Pages set their own later.
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
    const refusal = hostFault(request.raw)
    if (refusal !== undefined) {
      count(request).then(tooMany => done(tooMany ?? refusal), done)
      return
    }
    const { headers } = request
    if (headers.origin === undefined && headers['sec-fetch-site'] === undefined) return done()
    const reason = isForApi(request) ? foreignOrigin(allowedOrigins, headers, request.host) : undefined
    if (reason === undefined) return done()
    countForeign(request).then(refusal => {
      // Makes each request of a flood cost a new connection.
      if (refusal !== undefined) reply.header('connection', 'close')
      done(refusal ?? new ApiError('PERMISSION_DENIED', reason))
    }, done)
  })
}

/** Register it after the rate limit. Its hook precedes those of routes, and so their rates. */
export default fp(requestRules, { name: 'countersign-request-rules', fastify: '5.x' })
