import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Capabilities, findExcess } from '../../auth/capabilities.js'
import { matches } from '../../auth/patterns.js'
import type { ClientQuotas } from '../../channels/client-quotas.js'
import { ApiError } from '../../errors.js'
import { type Tickets, ticketSeconds } from '../../registry/tickets.js'
import type { Token } from '../../registry/tokens.js'
import { adminActor, type Guard } from '../auth.js'
import type { Resource } from '../common/resource.js'
import { formatTime, requireAttributes } from '../values.js'
import { ticketCalls, ticketSchemas, ticketTag } from './schema.js'

export interface TicketDependencies {
  readonly tickets: Pick<Tickets, 'create'>
  readonly quotas: Pick<ClientQuotas, 'createTicket'>
  /** Unix milliseconds. */
  readonly now: () => number
  /** Requires the scope `tickets`. */
  readonly guard: Guard
}

/** A ticket never exceeds its token (PROTOCOL §3). @throws ApiError PERMISSION_DENIED */
function requireWithin(token: Token, wanted: { readonly clientId: string } & Partial<Capabilities>): void {
  if (!matches(token.clients, wanted.clientId)) {
    throw new ApiError('PERMISSION_DENIED', `the clients patterns of this token do not match ${wanted.clientId}`)
  }
  const excess = findExcess(token, wanted)
  if (excess !== undefined) {
    const { name, pattern } = excess
    throw new ApiError('PERMISSION_DENIED', `${name}: ${pattern} exceeds the ${name} patterns of this token`)
  }
}

function routes({ tickets, quotas, now, guard }: TicketDependencies): FastifyPluginAsyncTypebox {
  return async app => {
    app.addHook('preParsing', guard)
    app.post('/tickets', { schema: ticketCalls.create }, async (request, reply) => {
      const { ttl, ...rest } = request.body
      requireAttributes(rest.attributes)
      if (request.limitedBy !== undefined) requireWithin(request.limitedBy, rest)
      const wanted = { ...rest, ...(ttl === undefined ? {} : { ttlSeconds: ttl }) }
      const { actor } = request
      const create = () => tickets.create(wanted, actor)
      const endsAt = now() + (ttl ?? ticketSeconds.default) * 1000
      const ticket = actor === adminActor ? await create() : await quotas.createTicket(actor, endsAt, create)
      const { clientId, keyId, secret, expiresAt } = ticket
      request.log.info({ clientId, keyId, actor }, 'ticket created')
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ clientId, keyId, secret, expiresAt: formatTime(expiresAt) })
    })
  }
}

/** `POST /v1/tickets`: short-lived credentials for web pages and Roblox game servers. */
export const ticketResource: Resource<TicketDependencies> = { tags: [ticketTag], schemas: ticketSchemas, routes }
