import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Capabilities, isAllowed, isWithin } from '../../auth/capabilities.js'
import { ApiError } from '../../errors.js'
import type { Tickets } from '../../registry/tickets.js'
import type { Token } from '../../registry/tokens.js'
import type { Guard } from '../auth.js'
import { formatTime, requireAttributes } from '../values.js'
import { ticketCalls } from './schema.js'

/** A ticket never exceeds its token (PROTOCOL §3). @throws ApiError PERMISSION_DENIED */
function requireWithin(token: Token, wanted: { readonly clientId: string } & Partial<Capabilities>): void {
  if (!isAllowed(token.clients, wanted.clientId)) {
    throw new ApiError('PERMISSION_DENIED', `this token gives no tickets for the client ${wanted.clientId}`)
  }
  for (const name of ['subscribe', 'publish', 'services'] as const) {
    const beyond = wanted[name]?.find(pattern => !isWithin(token[name], pattern))
    if (beyond !== undefined) throw new ApiError('PERMISSION_DENIED', `${name}: ${beyond} is more than this token has`)
  }
}

/** `POST /v1/tickets`: short-lived credentials for web pages and Roblox game servers. */
export function ticketRoutes(tickets: Tickets, guard: Guard): FastifyPluginAsyncTypebox {
  return async app => {
    app.addHook('preParsing', guard)
    app.post('/tickets', { schema: ticketCalls.create }, async (request, reply) => {
      const { ttl, ...rest } = request.body
      requireAttributes(rest.attributes)
      if (request.cappedBy !== undefined) requireWithin(request.cappedBy, rest)
      const wanted = { ...rest, ...(ttl === undefined ? {} : { ttlSeconds: ttl }) }
      const { clientId, keyId, secret, expiresAt } = await tickets.create(wanted)
      request.log.info({ clientId, keyId, actor: request.actor }, 'a ticket was made')
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ clientId, keyId, secret, expiresAt: formatTime(expiresAt) })
    })
  }
}
