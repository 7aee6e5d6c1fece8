import { createHash, timingSafeEqual } from 'node:crypto'
import { BlockList, isIP } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ApiError, apiErrors } from '../errors.js'
import type { Scope, Token, Tokens } from '../registry/tokens.js'

/** Who may call the bearer paths, and over what (PROTOCOL §12). */

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')
loopback.addSubnet('::ffff:127.0.0.0', 104, 'ipv6')

function isLoopback(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && loopback.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls, for the audit log. */
    actor: string
    /** The token that caps what the caller may hand out; none: no caps. */
    cappedBy: Token | undefined
  }
}

export interface AuthOptions {
  readonly adminToken: string
  readonly tokens: Tokens
  /** Whether plain HTTP from beyond loopback is taken. */
  readonly allowInsecureHttp: boolean
}

export type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** Makes hooks that let through whoever holds the admin token, or a token with one of the scopes. */
export function createAuth({ adminToken, tokens, allowInsecureHttp }: AuthOptions) {
  // Digests have one length, so that comparing them tells nothing of the token's.
  const expected = digest(adminToken)

  async function identify(request: FastifyRequest): Promise<Token | 'admin' | undefined> {
    const bearer = /^Bearer +([!-~]+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (bearer === undefined) return undefined
    return timingSafeEqual(digest(bearer), expected) ? 'admin' : tokens.find(bearer)
  }

  /** @param needed  the scopes of which one is enough; `admin` always is */
  return function requireScope(needed: (request: FastifyRequest) => readonly Scope[]): Guard {
    return async (request, reply) => {
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
            : 'this is no token that is known and good now (authorization: Bearer …)'
        )
      }
      if (caller === 'admin') {
        request.actor = 'admin'
        return
      }
      const isAdmin = caller.scopes.includes('admin')
      const wanted = needed(request)
      if (!isAdmin && !wanted.some(scope => caller.scopes.includes(scope))) {
        throw new ApiError('PERMISSION_DENIED', `this token lacks the scope ${['admin', ...wanted].join(' or ')}`)
      }
      request.actor = `token:${caller.tokenId}`
      request.cappedBy = isAdmin ? undefined : caller
    }
  }
}
