import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import ipaddr from 'ipaddr.js'
import { ApiError, apiErrors } from '../errors.js'
import { markVerified } from '../http/unverified-sockets.js'
import { bearerOf, type VerifiedTokens } from '../http/verified-tokens.js'
import type { Scope, Token, Tokens } from '../registry/tokens.js'
import { tokenOwner } from '../store/owners.js'

/** Bearer authentication of the HTTP API (PROTOCOL §12). */

function isLoopback(address: string): boolean {
  return isIP(address) !== 0 && ipaddr.process(address).range() === 'loopback'
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller as the audit log names it. Empty before authentication. */
    actor: string
    /** The token whose lists restrict the request. Undefined: unrestricted (admin). */
    limitedBy: Token | undefined
  }
}

/** The holder of the admin token. It has no quotas, since it could raise them. */
export const adminActor = 'admin'

export interface AuthOptions {
  readonly adminToken: string
  readonly tokens: Tokens
  /** Remembers the tokens of accepted requests. */
  readonly verified: VerifiedTokens
  /** Accept plain HTTP from other machines. */
  readonly allowInsecureHttp: boolean
}

/** A hook that rejects a request without a sufficient token. */
export type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/**
 * Makes a guard.
 * @param needed  the token needs one of these scopes; `admin` always suffices
 */
export type RequireScope = (needed: (request: FastifyRequest) => readonly Scope[]) => Guard

/** Makes guards that accept the admin token, or an API token with a sufficient scope. */
export function createAuth({ adminToken, tokens, verified, allowInsecureHttp }: AuthOptions): RequireScope {
  // timingSafeEqual needs equal lengths. Comparing digests does not reveal the token's length.
  const expected = digest(adminToken)
  verified.remember(adminToken)

  async function identify({ headers }: FastifyRequest): Promise<Token | 'admin' | undefined> {
    const bearer = bearerOf(headers)
    if (bearer === undefined) return undefined
    if (timingSafeEqual(digest(bearer), expected)) return 'admin'
    const token = await tokens.find(bearer)
    if (token !== undefined) verified.remember(bearer)
    return token
  }

  return needed => async (request, reply) => {
    if (request.protocol !== 'https' && !allowInsecureHttp && !isLoopback(request.ip)) {
      throw new ApiError('INSECURE_TRANSPORT')
    }
    const caller = await identify(request)
    if (caller === undefined) {
      reply.header('www-authenticate', 'Bearer')
      throw new ApiError(
        'UNAUTHORIZED',
        request.headers.authorization === undefined
          ? apiErrors.UNAUTHORIZED.message
          : 'the bearer token is unknown or has expired'
      )
    }
    markVerified(request.raw.socket)
    if (caller === 'admin') {
      request.bodyOwner = request.actor = adminActor
      return
    }
    const isAdmin = caller.scopes.includes('admin')
    const wanted = needed(request)
    if (!isAdmin && !wanted.some(scope => caller.scopes.includes(scope))) {
      throw new ApiError('PERMISSION_DENIED', `this token lacks the scope ${['admin', ...wanted].join(' or ')}`)
    }
    request.bodyOwner = request.actor = tokenOwner(caller.tokenId)
    request.limitedBy = isAdmin ? undefined : caller
  }
}
