import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Token, Tokens } from '../../../registry/tokens.js'
import { formatTime, pageOf, parseTime, requireText } from '../../values.js'
import { tokenCalls } from './schema.js'

/** A token's name, in bytes. */
const maxNameBytes = 512

function show({ createdAt, expiresAt, ...token }: Token) {
  return {
    ...token,
    createdAt: formatTime(createdAt),
    ...(expiresAt === undefined ? {} : { expiresAt: formatTime(expiresAt) })
  }
}

/** `/v1/admin/tokens`: API tokens. A token is in one answer only, that of its making. */
export function tokenRoutes(tokens: Tokens): FastifyPluginAsyncTypebox {
  return async app => {
    app.post('/tokens', { schema: tokenCalls.create }, async (request, reply) => {
      const { expiresAt, ...rest } = request.body
      const wanted = { ...rest, ...(expiresAt === undefined ? {} : { expiresAt: parseTime(expiresAt) }) }
      requireText('name', wanted.name, maxNameBytes)
      const { token, record } = await tokens.create(wanted, request.actor)
      return reply.code(201).send({ ...show(record), token })
    })

    app.get('/tokens', { schema: tokenCalls.list }, request =>
      pageOf(
        request.query,
        (after, limit) => tokens.list(after, limit),
        token => token.tokenId,
        show
      )
    )

    app.delete('/tokens/:tokenId', { schema: tokenCalls.remove }, async (request, reply) => {
      await tokens.remove(request.params.tokenId, request.actor)
      return reply.code(204).send()
    })
  }
}
