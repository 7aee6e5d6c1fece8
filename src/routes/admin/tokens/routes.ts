import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Token } from '../../../registry/tokens.js'
import { formatTime, parseTime, recordPageOf, requireText } from '../../values.js'
import type { AdminDependencies, AdminResource } from '../resource.js'
import { tokenCalls, tokenSchemas, tokenTag } from './schema.js'

/** Longest name of a token, in bytes. */
const maxNameBytes = 512

function formatToken({ createdAt, expiresAt, ...token }: Token) {
  return {
    ...token,
    createdAt: formatTime(createdAt),
    ...(expiresAt === undefined ? {} : { expiresAt: formatTime(expiresAt) })
  }
}

function routes({ registry: { tokens } }: AdminDependencies): FastifyPluginAsyncTypebox {
  return async app => {
    app.post('/tokens', { schema: tokenCalls.create }, async (request, reply) => {
      const { expiresAt, ...rest } = request.body
      const wanted = { ...rest, ...(expiresAt === undefined ? {} : { expiresAt: parseTime(expiresAt) }) }
      requireText('name', wanted.name, maxNameBytes)
      const { token, record } = await tokens.create(wanted, request.actor)
      return reply.code(201).send({ ...formatToken(record), token })
    })

    app.get('/tokens', { schema: tokenCalls.list }, request => recordPageOf(request.query, tokens, formatToken))

    app.delete('/tokens/:tokenId', { schema: tokenCalls.remove }, async (request, reply) => {
      await tokens.remove(request.params.tokenId, request.actor)
      return reply.code(204).send()
    })
  }
}

/** `/v1/admin/tokens`: API tokens. Only the response that creates a token contains it. */
export const tokenResource: AdminResource = { tags: [tokenTag], schemas: tokenSchemas, routes }
