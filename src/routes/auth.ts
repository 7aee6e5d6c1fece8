import { createHash, timingSafeEqual } from 'node:crypto'
import { BlockList, isIP } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ApiError } from '../errors.js'

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
  }
}

/**
 * A hook that lets the admin token through and nothing else.
 * @param allowInsecureHttp  whether plain HTTP from beyond loopback is taken
 */
export function createAdminGuard(adminToken: string, allowInsecureHttp: boolean) {
  // Digests have one length, so that comparing them tells nothing of the token's.
  const expected = digest(adminToken)
  return async function guard(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (request.protocol !== 'https' && !allowInsecureHttp && !isLoopback(request.ip)) {
      throw new ApiError('INSECURE_TRANSPORT')
    }
    const token = /^Bearer +([!-~]+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined || !timingSafeEqual(digest(token), expected)) {
      reply.header('www-authenticate', 'Bearer')
      throw new ApiError('UNAUTHORIZED')
    }
    request.actor = 'admin'
  }
}
