import Type from 'typebox'
import { ticketSeconds } from '../../registry/tickets.js'
import { needs, ofBody, refusals } from '../common/operation.js'
import {
  attributesSchema,
  clientIdSchema,
  identifier,
  refer,
  secretShown,
  timeShown,
  wantedCapabilities
} from '../common/schema.js'

/** `POST /v1/tickets`: its shapes and its call. */

const newTicketSchema = Type.Object(
  {
    clientId: clientIdSchema,
    ttl: Type.Optional(
      Type.Integer({
        ...{ minimum: ticketSeconds.min, maximum: ticketSeconds.max },
        description: `Its life, in seconds; ${ticketSeconds.default} where it is missing.`,
        examples: [ticketSeconds.default]
      })
    ),
    ...wantedCapabilities,
    attributes: Type.Optional(attributesSchema)
  },
  {
    $id: 'NewTicket',
    additionalProperties: false,
    description: 'The client needs no record. A missing list is empty: without `services` no license can be validated.',
    examples: [{ clientId: 'web-1', services: ['my-game'] }]
  }
)

const createdTicketSchema = Type.Object(
  {
    clientId: clientIdSchema,
    keyId: identifier('The ticket’s id, for revoking it. Not secret.', 'tkt_9a1f5c7e3b2d4608'),
    secret: secretShown('The ticket’s secret.', 'cs_tk_…'),
    expiresAt: timeShown('When it ends, and every session with it.')
  },
  { $id: 'CreatedTicket', description: 'A short-lived credential (PROTOCOL.md, section 3).' }
)

export const ticketCalls = {
  create: {
    tags: ['Tickets'],
    operationId: 'createTicket',
    summary: 'Create a ticket',
    description:
      'A short-lived credential for a web page or a game server, which must never hold a lasting secret. It never exceeds the rights of the token that makes it. `DELETE /v1/admin/clients/{clientId}/keys/{keyId}` revokes it.',
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
