import Type from 'typebox'
import { ticketSeconds } from '../../registry/tickets.js'
import { needs, ofBody, refusals } from '../common/operation.js'
import type { Tag } from '../common/resource.js'
import {
  attributesSchema,
  clientIdSchema,
  identifier,
  refer,
  secretShown,
  timeShown,
  wantedCapabilities
} from '../common/schema.js'

/** `POST /v1/tickets`: schemas and operation. */

const newTicketSchema = Type.Object(
  {
    clientId: clientIdSchema,
    ttl: Type.Optional(
      Type.Integer({
        ...{ minimum: ticketSeconds.min, maximum: ticketSeconds.max },
        description: `Life of the ticket, in seconds. Default: ${ticketSeconds.default}.`,
        examples: [ticketSeconds.default]
      })
    ),
    ...wantedCapabilities,
    attributes: Type.Optional(attributesSchema)
  },
  {
    $id: 'NewTicket',
    additionalProperties: false,
    description:
      'The client need not exist. An omitted list is empty: without `services`, no license can be validated.',
    examples: [{ clientId: 'web-1', services: ['my-game'] }]
  }
)

const createdTicketSchema = Type.Object(
  {
    clientId: clientIdSchema,
    keyId: identifier('Id of the ticket, by which it is revoked. Not secret.', 'tkt_9a1f5c7e3b2d4608'),
    secret: secretShown('The secret of the ticket.', 'cs_tk_…'),
    expiresAt: timeShown('When the ticket and all of its sessions end.')
  },
  { $id: 'CreatedTicket', description: 'A short-lived credential (PROTOCOL.md, section 3).' }
)

export const ticketTag: Tag = {
  name: 'Tickets',
  description: 'Short-lived credentials for web pages and game servers.'
}

export const ticketCalls = {
  create: {
    tags: [ticketTag.name],
    operationId: 'createTicket',
    summary: 'Create a ticket',
    description:
      'Creates a short-lived credential for a web page or a game server, which must never hold a long-lived secret. A ticket never exceeds the permissions of the token that creates it. `DELETE /v1/admin/clients/{clientId}/keys/{keyId}` revokes it.',
    security: needs('tickets', 'admin'),
    body: refer(newTicketSchema),
    response: {
      201: {
        ...refer(createdTicketSchema, 'The ticket.'),
        headers: { 'cache-control': { type: 'string', description: 'Always `no-store`.' } }
      }
    },
    refusals: refusals([...ofBody])
  }
} as const

export const ticketSchemas = [newTicketSchema, createdTicketSchema]
