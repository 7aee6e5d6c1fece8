import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ApiError } from '../../../errors.js'
import type { ClientKey } from '../../../registry/client-keys.js'
import type { Client } from '../../../registry/clients.js'
import { isTicketId } from '../../../registry/tickets.js'
import { formatTime, recordPageOf, requireAttributes } from '../../values.js'
import type { AdminDependencies, AdminResource } from '../resource.js'
import { clientCalls, clientSchemas, clientTag } from './schema.js'

function formatKey({ keyId, createdAt, expiresAt, revokedAt }: ClientKey) {
  return {
    keyId,
    createdAt: formatTime(createdAt),
    ...(expiresAt === undefined ? {} : { expiresAt: formatTime(expiresAt) }),
    ...(revokedAt === undefined ? {} : { revokedAt: formatTime(revokedAt) })
  }
}

function formatClient({ createdAt, updatedAt, keys, ...client }: Client) {
  return {
    ...client,
    createdAt: formatTime(createdAt),
    updatedAt: formatTime(updatedAt),
    keys: keys.map(formatKey)
  }
}

function routes({ registry: { clients, tickets } }: AdminDependencies): FastifyPluginAsyncTypebox {
  return async app => {
    app.post('/clients', { schema: clientCalls.create }, async (request, reply) => {
      requireAttributes(request.body.attributes)
      const { client, keyId, secret } = await clients.create(request.body, request.actor)
      return reply.code(201).send({ ...formatClient(client), keyId, secret })
    })

    app.get('/clients', { schema: clientCalls.list }, request => recordPageOf(request.query, clients, formatClient))

    app.get('/clients/:clientId', { schema: clientCalls.get }, async request => {
      const client = await clients.get(request.params.clientId)
      if (client === undefined) throw new ApiError('NOT_FOUND', `there is no client ${request.params.clientId}`)
      return formatClient(client)
    })

    app.patch('/clients/:clientId', { schema: clientCalls.update }, async request => {
      requireAttributes(request.body.attributes)
      return formatClient(await clients.update(request.params.clientId, request.body, request.actor))
    })

    app.delete('/clients/:clientId', { schema: clientCalls.remove }, async (request, reply) => {
      await clients.remove(request.params.clientId, request.actor)
      return reply.code(204).send()
    })

    app.post('/clients/:clientId/keys', { schema: clientCalls.rotateKey }, async (request, reply) => {
      const { overlap, force = false } = request.body
      const key = await clients.rotateKey(request.params.clientId, overlap, force, request.actor)
      return reply.code(201).send({ ...key, previousExpiresAt: formatTime(key.previousExpiresAt) })
    })

    app.delete('/clients/:clientId/keys/:keyId', { schema: clientCalls.revokeKey }, async (request, reply) => {
      const { clientId, keyId } = request.params
      await (isTicketId(keyId) ? tickets : clients).revoke(clientId, keyId, request.actor)
      return reply.code(204).send()
    })
  }
}

/** `/v1/admin/clients`: clients and their keys. Only the response that creates a key contains its secret. */
export const clientResource: AdminResource = { tags: [clientTag], schemas: clientSchemas, routes }
