import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { ApiError } from '../errors.js'
import type { Client, Clients } from '../registry/clients.js'
import { isTicketId, type Tickets } from '../registry/tickets.js'
import {
  attributesSchema,
  capabilitySchemas,
  formatTime,
  identifierSchema,
  pageOf,
  pageQuerySchema,
  requireAttributes
} from './schemas.js'

/** Longest overlap of a rotation, in seconds: 30 days. */
const maxOverlapSeconds = 30 * 24 * 60 * 60

const clientParams = Type.Object({ clientId: identifierSchema })
const keyParams = Type.Object({ clientId: identifierSchema, keyId: identifierSchema })

const newClientSchema = Type.Object(
  { clientId: Type.Optional(identifierSchema), ...capabilitySchemas, attributes: Type.Optional(attributesSchema) },
  { additionalProperties: false }
)

const clientPatchSchema = Type.Object(
  {
    ...capabilitySchemas,
    attributes: Type.Optional(attributesSchema),
    status: Type.Optional(Type.Union([Type.Literal('active'), Type.Literal('suspended')]))
  },
  { additionalProperties: false, minProperties: 1 }
)

const newKeySchema = Type.Object(
  {
    overlap: Type.Integer({ minimum: 0, maximum: maxOverlapSeconds, description: 'seconds' }),
    force: Type.Optional(Type.Boolean())
  },
  { additionalProperties: false }
)

function show({ createdAt, updatedAt, keys, ...client }: Client) {
  return {
    ...client,
    createdAt: formatTime(createdAt),
    updatedAt: formatTime(updatedAt),
    keys: keys.map(key => ({
      keyId: key.keyId,
      createdAt: formatTime(key.createdAt),
      ...(key.expiresAt === undefined ? {} : { expiresAt: formatTime(key.expiresAt) }),
      ...(key.revokedAt === undefined ? {} : { revokedAt: formatTime(key.revokedAt) })
    }))
  }
}

/** `/v1/admin/clients`: clients and their keys. A secret is in one answer only, that of its making. */
export function clientRoutes(clients: Clients, tickets: Tickets): FastifyPluginAsyncTypebox {
  return async app => {
    app.post('/clients', { schema: { body: newClientSchema } }, async (request, reply) => {
      requireAttributes(request.body.attributes)
      const { client, keyId, secret } = await clients.create(request.body, request.actor)
      return reply.code(201).send({ ...show(client), keyId, secret })
    })

    app.get('/clients', { schema: { querystring: pageQuerySchema } }, request =>
      pageOf(request.query, clients.list, client => client.clientId, show)
    )

    app.get('/clients/:clientId', { schema: { params: clientParams } }, async request => {
      const client = await clients.get(request.params.clientId)
      if (client === undefined) throw new ApiError('NOT_FOUND', `there is no client ${request.params.clientId}`)
      return show(client)
    })

    app.patch('/clients/:clientId', { schema: { params: clientParams, body: clientPatchSchema } }, async request => {
      requireAttributes(request.body.attributes)
      return show(await clients.update(request.params.clientId, request.body, request.actor))
    })

    app.delete('/clients/:clientId', { schema: { params: clientParams } }, async (request, reply) => {
      await clients.remove(request.params.clientId, request.actor)
      return reply.code(204).send()
    })

    app.post(
      '/clients/:clientId/keys',
      { schema: { params: clientParams, body: newKeySchema } },
      async (request, reply) => {
        const { overlap, force = false } = request.body
        const key = await clients.rotateKey(request.params.clientId, overlap, force, request.actor)
        return reply.code(201).send({ ...key, previousExpiresAt: formatTime(key.previousExpiresAt) })
      }
    )

    app.delete('/clients/:clientId/keys/:keyId', { schema: { params: keyParams } }, async (request, reply) => {
      const { clientId, keyId } = request.params
      await (isTicketId(keyId) ? tickets : clients).revoke(clientId, keyId, request.actor)
      return reply.code(204).send()
    })
  }
}
